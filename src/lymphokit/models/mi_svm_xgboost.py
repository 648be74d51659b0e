"""XGBoost on the share of cells that MI-SVM calls tumoral and on the clinical attributes."""

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.segments import segment_mean
from lymphokit.models.boosting import XgboostSettings, fit_xgboost, positive_probability
from lymphokit.models.cross_fit import held_out_parts
from lymphokit.models.mi_svm import MaxMarginSettings, MiSvm
from lymphokit.models.registry import register
from lymphokit.settings import Parts

if TYPE_CHECKING:
    from xgboost import XGBClassifier


class MiSvmXgboostSettings(MaxMarginSettings, XgboostSettings):
    """Settings of `MiSvmXgboost`."""

    kind: Literal["mi_svm_xgboost"]
    cross_fit: Parts | Literal[0]
    """Parts, stratified by label; 0 takes the rates of the MI-SVM fitted on the same patients."""


@register(MiSvmXgboostSettings, reads_clinical=True)
class MiSvmXgboost(BagModel[MiSvmXgboostSettings]):
    """XGBoost on the rate of cells that MI-SVM calls tumoral, age and lymphocyte count.

    With `cross_fit`, each part of the training patients gets its rates from an MI-SVM fitted on
    the other parts, so that the trees learn from rates like those of new patients. There are at
    most as many parts as the rarer class has patients.

    Fitted on the training patients: `mi_svm_` on all of them, `rates_` (n_bags,) that the trees
    learned from, `booster_`.

    Source: report 5.1.2.
    Departs: cross_fit. MI-SVM usually separates its training patients; trees that learn from such
    rates rely on them more than the rates of new patients justify. The logarithm of the count,
    which keeps its order and therefore the trees' splits.
    """

    mi_svm_: MiSvm
    rates_: NDArray[np.float64]
    booster_: "XGBClassifier"

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur, twice each where rates are cross-fitted.
        """
        require_both_classes(labels)
        self.mi_svm_ = self._fit_mi_svm(bags, labels, clinical)
        if self.settings.cross_fit:
            self.rates_ = self._cross_fitted(bags, labels, clinical)
        else:
            self.rates_ = _rates(self.mi_svm_, bags)
        table = np.column_stack([self.rates_, clinical.matrix()])
        self.booster_ = fit_xgboost(table, labels, self.settings, self.seed)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "booster_")
        attributes = np.column_stack([_rates(self.mi_svm_, bags), clinical.matrix()])
        return positive_probability(self.booster_, attributes)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """The MI-SVM margin of each cell, positive on the tumoral side: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "booster_")
        return self.mi_svm_.cell_scores(bags)

    def _fit_mi_svm(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> MiSvm:
        return MiSvm(self.settings, seed=self.seed).fit(bags, labels, clinical)

    def _cross_fitted(
        self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical
    ) -> NDArray[np.float64]:
        """The rate of each patient by an MI-SVM that was fitted without them: (n_bags,)."""
        rates = np.empty(len(bags))
        parts = self.settings.cross_fit
        for kept, rated in held_out_parts(bags.ids, labels, parts=parts, seed=self.seed):
            model = self._fit_mi_svm(bags.take(kept), labels[kept], clinical.take(kept))
            rates[rated] = _rates(model, bags.take(rated))
        return rates


def _rates(model: MiSvm, bags: Bags) -> NDArray[np.float64]:
    """The share of each bag's cells that lie on the tumoral side: (n_bags,)."""
    is_tumoral = (model.cell_scores(bags) > 0.0).astype(np.float64)
    return np.asarray(segment_mean(is_tumoral, bags.offsets), dtype=np.float64)
