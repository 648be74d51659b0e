"""A patient as the mean, or the maximum, of a network's probabilities of the patient's cells.

The cells' single feature is P(1) by a network that was trained with every cell labelled as its
patient (`instance_network`), or by any other network that predicts single cells.
"""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags import segments
from lymphokit.bags.contract import (
    BagModel,
    ModelSettings,
    cell_probabilities,
    require_both_classes,
    require_fitted,
)
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models import boosting
from lymphokit.models.registry import register

Aggregation = Literal["mean", "max"]
CellBank = Literal["instance_network", "pseudo_label", "round_zero", "bag_start"]

_REDUCTIONS = {"mean": segments.segment_mean, "max": segments.segment_max}
_BANK = "instance_network"


class BagAverageSettings(ModelSettings):
    """Settings of `BagAverage`."""

    kind: Literal["bag_average"]
    features: CellBank
    aggregation: Aggregation


@register(BagAverageSettings)
class BagAverage(BagModel[BagAverageSettings]):
    """The prediction for a bag is the mean, or the maximum, of those for its cells.

    `fit` learns nothing and the seed changes nothing; `classes_` records the labels that `fit` saw.

    Source: report, appendix, "Naive Instance-Level deep MIL", with ResNet18.
    Departs: no cell is predicted by a network trained on the label of its patient. The report does
    not give the labels that its network learns from.
    """

    neutral_score: ClassVar[float | None] = 0.5

    classes_: NDArray[np.int64]

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Check labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "classes_")
        return aggregated(bags, self.settings.aggregation)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The network's probability of each cell: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "classes_")
        return cell_probabilities(bags, _BANK)


class BagAverageXgboostSettings(boosting.XgboostSettings):
    """Settings of `BagAverageXgboost`."""

    kind: Literal["bag_average_xgboost"]
    features: CellBank
    aggregation: Aggregation


@register(BagAverageXgboostSettings, reads_clinical=True)
class BagAverageXgboost(BagModel[BagAverageXgboostSettings]):
    """XGBoost on the mean or maximum probability of a bag, the age and the lymphocyte count.

    Fitted on the training patients: `trees_`.

    Source: report, appendix, which notes that it overfits the clinical data.
    Departs: XGBoost has the settings of report 5.1.2; the appendix gives none.
    """

    neutral_score: ClassVar[float | None] = 0.5

    trees_: Any

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        table = self._table(bags, clinical)
        self.trees_ = boosting.fit_xgboost(table, labels, self.settings, self.seed)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "trees_")
        return boosting.positive_probability(self.trees_, self._table(bags, clinical))

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The network's probability of each cell: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "trees_")
        return cell_probabilities(bags, _BANK)

    def _table(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of the bag, age in years, lymphocytes in 10^9/L: (n_bags, 3)."""
        return np.column_stack(
            [
                aggregated(bags, self.settings.aggregation),
                clinical.age_years,
                clinical.lymphocytes_giga_per_litre,
            ]
        )


def aggregated(bags: Bags, aggregation: Aggregation) -> NDArray[np.float64]:
    """The mean or the maximum P(1) of each bag's cells: (n_bags,).

    Raises ValueError where the cells have more than one feature.
    """
    probabilities = cell_probabilities(bags, _BANK)
    return np.asarray(_REDUCTIONS[aggregation](probabilities, bags.offsets), dtype=np.float64)
