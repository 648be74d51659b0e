"""Models on age and lymphocyte count alone: the baseline of every model that reads images."""

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models.boosting import XgboostSettings, fit_xgboost, positive_probability
from lymphokit.models.registry import register
from lymphokit.settings import Positive

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from xgboost import XGBClassifier


class ClinicalLogisticSettings(ModelSettings):
    """Settings of `ClinicalLogistic`."""

    kind: Literal["clinical_logistic"]
    C: Positive
    """Inverse strength of the ridge."""


@register(ClinicalLogisticSettings, reads_clinical=True)
class ClinicalLogistic(BagModel[ClinicalLogisticSettings]):
    """Logistic regression on standardised age and log count; reads no cells.

    Classes are not reweighted, so that probabilities stay frequencies. The optimum is unique: the
    seed changes nothing.

    Fitted on the training patients: `pipeline_`, scaler and regression.
    """

    pipeline_: "Pipeline"

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from clinical attributes with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        require_both_classes(labels)
        regression = LogisticRegression(C=self.settings.C, tol=1e-8, max_iter=1000)
        self.pipeline_ = make_pipeline(StandardScaler(), regression)
        self.pipeline_.fit(clinical.matrix(), labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "pipeline_")
        return positive_probability(self.pipeline_, clinical.matrix())


class ClinicalXgboostSettings(XgboostSettings):
    """Settings of `ClinicalXgboost`."""

    kind: Literal["clinical_xgboost"]


@register(ClinicalXgboostSettings, reads_clinical=True)
class ClinicalXgboost(BagModel[ClinicalXgboostSettings]):
    """XGBoost on age and log count; reads no cells.

    Fitted on the training patients: `booster_`.

    Source: report 5.1.2, "With only clinical data".
    Departs: the logarithm of the count, which keeps its order and therefore the trees' splits.
    """

    booster_: "XGBClassifier"

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from clinical attributes with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.booster_ = fit_xgboost(clinical.matrix(), labels, self.settings, self.seed)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "booster_")
        return positive_probability(self.booster_, clinical.matrix())
