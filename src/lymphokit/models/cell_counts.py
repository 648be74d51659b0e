"""A patient as the numbers of cells that a network calls 0 and 1, with age and lymphocyte count.

The cells' single feature is a network's probability of label 1, from pseudo-labelling.
The table has four columns, the report's `n_patients x 4`. The two counts add up to the number of
a patient's images, which predicts the label in this competition without being medicine. With
shares instead of counts the model cannot see that number; the score table shows both.
"""

from typing import Any, ClassVar, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags import segments
from lymphokit.bags.contract import (
    BagModel,
    cell_probabilities,
    require_both_classes,
    require_fitted,
)
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models import boosting
from lymphokit.models.registry import register

Matrix = Literal["counts", "shares"]
CellBank = Literal["pseudo_label", "round_zero", "bag_start"]


class CellCountsXgboostSettings(boosting.XgboostSettings):
    """Settings of `CellCountsXgboost`."""

    kind: Literal["cell_counts_xgboost"]
    features: CellBank
    """`pseudo_label`: the network after the last round; `round_zero`: before the first."""
    matrix: Matrix


class CellCountsLightgbmSettings(boosting.LightgbmSettings):
    """Settings of `CellCountsLightgbm`."""

    kind: Literal["cell_counts_lightgbm"]
    features: CellBank
    matrix: Matrix


SettingsT = TypeVar("SettingsT", CellCountsXgboostSettings, CellCountsLightgbmSettings)


class _CellCounts(BagModel[SettingsT]):
    """Base of both models; `trees_` is fitted on the training patients."""

    neutral_score: ClassVar[float | None] = 0.5

    trees_: Any

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "trees_")
        table = cell_table(bags, clinical, self.settings.matrix)
        return boosting.positive_probability(self.trees_, table)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The network's probability of each cell: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "trees_")
        return cell_probabilities(bags, "pseudo_label")


@register(CellCountsXgboostSettings, reads_clinical=True, counts_cells=("matrix", "counts"))
class CellCountsXgboost(_CellCounts[CellCountsXgboostSettings]):
    """XGBoost on the table of `cell_table`."""

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        table = cell_table(bags, clinical, self.settings.matrix)
        self.trees_ = boosting.fit_xgboost(table, labels, self.settings, self.seed)
        return self


@register(CellCountsLightgbmSettings, reads_clinical=True, counts_cells=("matrix", "counts"))
class CellCountsLightgbm(_CellCounts[CellCountsLightgbmSettings]):
    """LightGBM on the table of `cell_table`."""

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        table = cell_table(bags, clinical, self.settings.matrix)
        self.trees_ = boosting.fit_lightgbm(table, labels, self.settings, self.seed)
        return self


def cell_table(bags: Bags, clinical: Clinical, matrix: Matrix) -> NDArray[np.float64]:
    """The table that trees are fitted on: (n_bags, 4).

    bags: cells with the single feature P(1); above one half a cell is called 1. Columns: cells
    called 0, cells called 1 (numbers, or shares of the bag), age in years, lymphocytes in 10^9/L.
    Raises ValueError where the cells have more than one feature.

    Source: report 4.4.3 and Algorithm 1.
    Departs: age in place of the date of birth. The probabilities of a training patient's cells
    come from a network trained without that patient; the report's network may have seen them.
    """
    is_called = cell_probabilities(bags, "pseudo_label") > 0.5
    called = segments.segment_sum(is_called.astype(np.float64), bags.offsets)
    counts = np.column_stack([bags.sizes - called, called])
    if matrix == "shares":
        counts /= bags.sizes[:, None]
    return np.column_stack([counts, clinical.age_years, clinical.lymphocytes_giga_per_litre])
