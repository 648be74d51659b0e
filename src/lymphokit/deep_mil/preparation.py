"""What a network reads of patients: projected cells and standardised clinical attributes."""

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
        return torch.split(torch.from_numpy(self.bags.instances), self.bags.sizes.tolist())

    def batch(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """The bags at these positions as `AttentionMil.forward` takes them."""
        cells = torch.cat([self._cells[bag] for bag in chosen])  # (n, d)
        sizes = torch.from_numpy(self.bags.sizes[chosen])
        bag_of = torch.arange(len(chosen)).repeat_interleave(sizes)  # (n,)
        return cells, bag_of, self.clinical[torch.from_numpy(chosen)]  # (n, d), (n,), (B, 2)


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
