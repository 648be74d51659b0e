"""A patient as how many cells a network calls 0 and how many 1, with count and age.

The cells' single feature is a network's probability of label 1, such as pseudo-labelling leaves.
The table has four columns, the report's `n_patients x 4`. The number of images of a patient,
which the two counts add up to, tells the label in this competition without any medicine: with
shares it does not reach the model, and both ways stand in the table of scores.
"""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags import segments
from lymphokit.bags.checks import cell_probabilities, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models import boosting, leafwise

Matrix = Literal["counts", "shares"]


def cell_table(bags: Bags, clinical: Clinical, matrix: Matrix) -> NDArray[np.float64]:
    """The table that trees are grown on: (n_bags, 4).

    bags: cells with the single feature P(1); above one half a cell is called 1. Columns: cells
    called 0, cells called 1 (numbers, or shares of the bag), age in years, lymphocytes in 10^9/L.
    Raises ValueError where the cells have more than one feature.
    Source: report 4.4.3.
    """
    is_called = cell_probabilities(bags, "pseudo_label") > 0.5
    called = segments.segment_sum(is_called.astype(np.float64), bags.offsets)
    counts = np.column_stack([bags.sizes - called, called])
    if matrix == "shares":
        counts /= bags.sizes[:, None]
    return np.column_stack([counts, clinical.age_years, clinical.lymphocytes_giga_per_litre])


class _CellCounts:
    """What both kinds of trees share; `trees_` is fitted on the training patients."""

    matrix: Matrix
    trees_: Any

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "trees_")
        return boosting.probabilities(self.trees_, cell_table(bags, clinical, self.matrix))

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The network's probability of each cell: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "trees_")
        return cell_probabilities(bags, "pseudo_label")


class CellCountsXgboost(_CellCounts):
    """XGBoost on the table of `cell_table`.

    trees, learning_rate, max_depth, scale_pos_weight: of `boosting.boosted_trees`.
    """

    def __init__(
        self,
        *,
        matrix: Matrix,
        trees: int,
        learning_rate: float,
        max_depth: int,
        scale_pos_weight: float | Literal["balanced"],
        seed: int,
    ) -> None:
        self.matrix = matrix
        self.trees = trees
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.scale_pos_weight = scale_pos_weight
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.trees_ = boosting.boosted_trees(
            cell_table(bags, clinical, self.matrix),
            labels,
            trees=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            scale_pos_weight=self.scale_pos_weight,
            seed=self.seed,
        )
        return self


class CellCountsLightgbm(_CellCounts):
    """LightGBM on the table of `cell_table`.

    trees, learning_rate, leaves, least_patients, scale_pos_weight: of `leafwise_trees`.
    """

    def __init__(
        self,
        *,
        matrix: Matrix,
        trees: int,
        learning_rate: float,
        leaves: int,
        least_patients: int,
        scale_pos_weight: float | Literal["balanced"],
        seed: int,
    ) -> None:
        self.matrix = matrix
        self.trees = trees
        self.learning_rate = learning_rate
        self.leaves = leaves
        self.least_patients = least_patients
        self.scale_pos_weight = scale_pos_weight
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.trees_ = leafwise.leafwise_trees(
            cell_table(bags, clinical, self.matrix),
            labels,
            trees=self.trees,
            learning_rate=self.learning_rate,
            leaves=self.leaves,
            least_patients=self.least_patients,
            scale_pos_weight=self.scale_pos_weight,
            seed=self.seed,
        )
        return self
