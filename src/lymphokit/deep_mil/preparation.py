"""What D-MIL's networks read of patients, fitted on the patients that they are trained with."""

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.deep_mil.committee import Inputs


class Preparation:
    """Project the cells; standardise age and log count; price the losses of the two labels.

    weighted_loss: positives cost their share of the patients, negatives theirs, otherwise all 1.
    Fitted: `projection_`, `clinical_mean_` and `clinical_deviation_` (2,), `costs_` (2,) by label.
    Source: report 5.2.2 b and c.
    Departs: the logarithm of the count.
    """

    def __init__(self, *, scale: bool, pca: int | None, weighted_loss: bool, seed: int) -> None:
        self.scale = scale
        self.pca = pca
        self.weighted_loss = weighted_loss
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from the training patients."""
        self.projection_ = Projection(scale=self.scale, pca=self.pca, seed=self.seed)
        self.projection_.fit(bags.instances)
        attributes = clinical.matrix()
        self.clinical_mean_ = attributes.mean(axis=0)
        deviation = attributes.std(axis=0)
        self.clinical_deviation_ = np.where(deviation > 1e-6, deviation, 1.0)
        share = labels.mean()
        self.costs_ = np.array([1.0 - share, share] if self.weighted_loss else [1.0, 1.0])
        return self

    def inputs(self, bags: Bags, attributes: Tensor) -> Inputs:
        """Any patients as the networks read them, given their `attributes`."""
        cells = np.require(self.projection_.transform(bags.instances), requirements=["W"])
        return Inputs(bags.with_instances(cells), attributes)

    def attributes(self, clinical: Clinical) -> Tensor:
        """Standardised age and log count: (n_bags, 2)."""
        standardised = (clinical.matrix() - self.clinical_mean_) / self.clinical_deviation_
        return torch.from_numpy(standardised.astype(np.float32))

    def costs(self, labels: NDArray[np.int64]) -> Tensor:
        """What a patient's loss costs: (n_bags,)."""
        return torch.from_numpy(self.costs_[labels].astype(np.float32))
