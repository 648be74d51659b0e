"""What a network reads of patients: projected cells and standardised clinical attributes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
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

    @property
    def n_features(self) -> int:
        """Features of a projected cell."""
        return int(self.bags.instances.shape[1])

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


class ClinicalScaler:
    """Standardise age and the logarithm of the lymphocyte count.

    Fitted: `mean_` and `deviation_`, (2,) each.
    Source: report 5.2.2 b. Departs: the logarithm of the count.
    """

    def fit(self, clinical: Clinical) -> Self:
        """Learn from the training patients."""
        attributes = clinical.matrix()
        self.mean_ = attributes.mean(axis=0)
        deviation = attributes.std(axis=0)
        # An attribute that all training patients share is left in its unit.
        self.deviation_ = np.where(deviation > 1e-6, deviation, 1.0)
        return self

    def transform(self, clinical: Clinical) -> Tensor:
        """Standardised age and log count: (n_bags, 2) float32."""
        standardised = (clinical.matrix() - self.mean_) / self.deviation_
        return torch.from_numpy(standardised.astype(np.float32))


class Preparation:
    """Project the cells and standardise the clinical attributes, both fitted on training patients.

    Fitted: `projection_`, `clinical_`.
    Source: report 5.2.2 c.
    """

    def __init__(self, *, scale: bool, pca: int | None, seed: int) -> None:
        self.scale = scale
        self.pca = pca
        self.seed = seed

    def fit(self, bags: Bags, clinical: Clinical) -> Self:
        """Learn from the training patients."""
        self.projection_ = Projection(scale=self.scale, pca=self.pca, seed=self.seed)
        self.projection_.fit(bags.instances)
        self.clinical_ = ClinicalScaler().fit(clinical)
        return self

    def transform(self, bags: Bags, clinical: Clinical | None) -> Prepared:
        """Any patients as a network reads them; without `clinical`, as average patients."""
        cells = self.projection_.transform(bags.instances)
        attributes = (
            torch.zeros(len(bags), 2) if clinical is None else self.clinical_.transform(clinical)
        )
        # torch warns of read-only memory, such as features mapped from a file: copy it.
        return Prepared(bags.with_instances(np.require(cells, requirements="W")), attributes)


def label_weights(labels: NDArray[np.int64], weighted_loss: bool) -> NDArray[np.float32]:
    """Weights of the losses of negatives and positives: (2,).

    With weighted_loss positives weigh their share of the labels and negatives theirs.
    Source: report 5.2.2 b.
    """
    share = labels.mean()
    return np.array([1.0 - share, share] if weighted_loss else [1.0, 1.0], dtype=np.float32)
