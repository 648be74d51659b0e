"""Columns removed from the descriptors of patients by linear regression."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from lymphokit.evaluation.metrics import Floats

# Of a standardised column's variance. Columns that are nearly equal, as the colours of glass in
# two colour spaces, would otherwise get slopes that mean noise; a column on its side loses 0.1%.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Removal:
    """What columns predict of descriptors, fitted on the training patients of a fold alone.

    mean, scale (n_columns,): of the columns; slopes (n_columns, n_features): what one standard
    deviation of a column adds to each descriptor.
    """

    mean: Floats
    scale: Floats
    slopes: Floats

    @classmethod
    def fit(cls, columns: Floats, descriptors: Floats) -> Self:
        """From columns (n, n_columns) and descriptors (n, n_features) of training patients."""
        mean, deviation = columns.mean(axis=0), columns.std(axis=0)
        scale = np.where(deviation > 0, deviation, np.inf)  # a constant column removes nothing
        known = (columns - mean) / scale
        gram = known.T @ known + _RIDGE * len(known) * np.eye(known.shape[1])
        return cls(mean, scale, np.linalg.solve(gram, known.T @ descriptors))

    def residuals(self, columns: Floats, descriptors: Floats) -> Floats:
        """The descriptors (n, n_features) without what the columns predict of them."""
        return np.asarray(descriptors - (columns - self.mean) / self.scale @ self.slopes)
