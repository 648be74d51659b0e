"""What a network reads of patients: projected cells and standardised clinical attributes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection

Positions = NDArray[np.int64]
Batch = tuple[Tensor, Tensor, Tensor]  # cells (n, d), the bag of each (n,), clinical (B, 2)


@dataclass(frozen=True)
class Prepared:
    """Patients as a network reads them: projected cells, clinical attributes (n_bags, 2)."""

    bags: Bags
    clinical: Tensor

    def __len__(self) -> int:
        return len(self.bags)

    @cached_property
    def _cells(self) -> tuple[Tensor, ...]:
        """The cells of each bag, views of one matrix."""
        # Whoever asks first may be predicting; torch would not train on tensors made there.
        with torch.inference_mode(mode=False):
            return torch.split(torch.from_numpy(self.bags.instances), self.bags.sizes.tolist())

    def batch(self, chosen: Positions) -> Batch:
        """The bags at these positions as `AttentionMil.forward` takes them."""
        return next(self.batches([chosen]))

    def batches(self, steps: Sequence[Positions]) -> Iterator[Batch]:
        """Batches of bags at these positions, no step empty; each is valid until the next.

        The cells of a batch overwrite those of the one before: in new memory, whose pages the
        system clears first, the copy takes five times as long.
        """
        order, counts = np.concatenate(steps), [len(step) for step in steps]
        sizes = self.bags.sizes[order]
        n_cells = [int(self.bags.sizes[step].sum()) for step in steps]
        places = np.concatenate([np.arange(count) for count in counts])  # of a bag in its step
        bag_of = torch.split(torch.from_numpy(np.repeat(places, sizes)), n_cells)
        clinical = torch.split(self.clinical[torch.from_numpy(order)], counts)
        return zip(self._gathered(steps, n_cells), bag_of, clinical, strict=True)

    def _gathered(self, steps: Sequence[Positions], n_cells: Sequence[int]) -> Iterator[Tensor]:
        """The cells of each step (n, d): a view where it is one bag, else a copy."""
        memory = self._cells[0].new_empty((max(n_cells), self._cells[0].shape[1]))
        for bags, n in zip(steps, n_cells, strict=True):
            cells = [self._cells[bag] for bag in bags]
            yield cells[0] if len(cells) == 1 else torch.cat(cells, out=memory[:n])


class Preparation:
    """Project the cells, standardise the clinical attributes; both fitted on training patients.

    Fitted: `projection_`, `scaler_` of age and the logarithm of the lymphocyte count.
    Source: report 5.2.2 b and c. Departs: the logarithm of the count.
    """

    def __init__(self, *, scale: bool, pca: int | None, seed: int) -> None:
        self.scale = scale
        self.pca = pca
        self.seed = seed

    def fit(self, bags: Bags, clinical: Clinical) -> Self:
        """Learn from the training patients."""
        self.projection_ = Projection(scale=self.scale, pca=self.pca, seed=self.seed)
        self.projection_.fit(bags.instances)
        self.scaler_ = StandardScaler().fit(clinical.matrix())
        return self

    def transform(self, bags: Bags, clinical: Clinical | None) -> Prepared:
        """Any patients as a network reads them; without `clinical`, as average patients."""
        cells = self.projection_.transform(bags.instances)
        # torch warns of read-only memory, such as features mapped from a file: copy it.
        prepared = bags.with_instances(np.require(cells, requirements="W"))
        if clinical is None:
            return Prepared(prepared, torch.zeros(len(bags), 2))
        return Prepared(prepared, scale_clinical(self.scaler_, clinical))


def scale_clinical(scaler: StandardScaler, clinical: Clinical) -> Tensor:
    """Standardised age and log count: (n_bags, 2) float32."""
    return torch.from_numpy(scaler.transform(clinical.matrix()).astype(np.float32))


def label_weights(labels: NDArray[np.int64], weighted_loss: bool) -> NDArray[np.float32]:
    """Weights of the losses of negatives and positives: (2,).

    With weighted_loss positives weigh their share of the labels and negatives theirs.
    Source: report 5.2.2 b.
    """
    share = labels.mean()
    return np.array([1.0 - share, share] if weighted_loss else [1.0, 1.0], dtype=np.float32)
