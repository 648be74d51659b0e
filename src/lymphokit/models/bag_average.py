"""A patient as the mean, or the highest, of a network's probabilities of the patient's cells.

The cells' single feature is P(1) by a network that took every cell for what its patient is
(`instance_network`), or by any other that judges cells one by one.
"""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags import segments
from lymphokit.bags.checks import cell_probabilities, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models import boosting

Aggregation = Literal["mean", "max"]

_REDUCTIONS = {"mean": segments.segment_mean, "max": segments.segment_max}
_BANK = "instance_network"


def aggregated(bags: Bags, aggregation: Aggregation) -> NDArray[np.float64]:
    """The mean or the highest P(1) of each bag's cells: (n_bags,).

    Raises ValueError where the cells have more than one feature.
    """
    probabilities = cell_probabilities(bags, _BANK)
    return np.asarray(_REDUCTIONS[aggregation](probabilities, bags.offsets), dtype=np.float64)


class BagAverage:
    """The prediction for a bag is the mean, or the maximum, of those for its cells.

    There is nothing to learn from bags, and `seed` changes nothing; `classes_` says that `fit` has
    seen both labels.
    Source: report, appendix, "Naive Instance-Level deep MIL".
    """

    classes_: NDArray[np.int64]

    def __init__(self, *, aggregation: Aggregation, seed: int) -> None:
        self.aggregation = aggregation
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Look at labels (n_bags,) in {0 reactive, 1 tumoral}, and learn nothing else.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "classes_")
        return aggregated(bags, self.aggregation)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The network's probability of each cell: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "classes_")
        return cell_probabilities(bags, _BANK)


class BagAverageXgboost:
    """XGBoost on the bag's mean or highest probability, the age and the count.

    trees, learning_rate, max_depth, scale_pos_weight: of `boosting.boosted_trees`.
    Fitted on the training patients: `trees_`.
    Source: report, appendix, which notes that it overfits the clinical data.
    """

    trees_: Any

    def __init__(
        self,
        *,
        aggregation: Aggregation,
        trees: int,
        learning_rate: float,
        max_depth: int,
        scale_pos_weight: float | Literal["balanced"],
        seed: int,
    ) -> None:
        self.aggregation = aggregation
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
            self._table(bags, clinical),
            labels,
            trees=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            scale_pos_weight=self.scale_pos_weight,
            seed=self.seed,
        )
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "trees_")
        return boosting.probabilities(self.trees_, self._table(bags, clinical))

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The network's probability of each cell: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "trees_")
        return cell_probabilities(bags, _BANK)

    def _table(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """The bag's probability, age in years, lymphocytes in 10^9/L: (n_bags, 3)."""
        return np.column_stack(
            [
                aggregated(bags, self.aggregation),
                clinical.age_years,
                clinical.lymphocytes_giga_per_litre,
            ]
        )
