"""The contract that every model keeps, so that folds, blends and audits need to know only it.

Constructors only store their settings (keyword-only, no defaults: config.yaml holds those); what
is learned ends in `_`; randomness comes from an explicit `seed`. The scores of a bag do not
depend on the order of its cells, nor on which other bags are predicted beside it.
"""

from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical


class BagModel(Protocol):
    """Predicts, from a patient's bag and clinical attributes, the probability of a malignancy."""

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}."""
        ...

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis for each bag: (n_bags,) in [0, 1].

        Raises NotFittedError before `fit`.
        """
        ...


@runtime_checkable
class ScoresCells(Protocol):
    """A model that can also say which cells made it think so."""

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """A score for each cell, higher is more tumoral: (n_cells,)."""
        ...
