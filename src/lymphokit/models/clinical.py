"""Models on age and lymphocyte count alone: what images have to beat."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from lymphokit.bags.checks import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models.boosting import boosted_trees, probabilities


class ClinicalLogistic:
    """Logistic regression on standardised age and log count; the bags are not looked at.

    C: inverse strength of the ridge. Classes are not reweighted, so that probabilities stay
    frequencies. `seed` changes nothing: the optimum is unique.
    Fitted on the training patients: `pipeline_`, scaler and regression.
    """

    pipeline_: Pipeline

    def __init__(self, *, C: float, seed: int) -> None:
        self.C = C
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from clinical attributes with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        regression = LogisticRegression(C=self.C, tol=1e-8, max_iter=1000)
        self.pipeline_ = make_pipeline(StandardScaler(), regression)
        self.pipeline_.fit(clinical.matrix(), labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "pipeline_")
        return np.asarray(self.pipeline_.predict_proba(clinical.matrix())[:, 1], dtype=np.float64)


class ClinicalXgboost:
    """Boosted trees on age and count; the bags are not looked at.

    trees, learning_rate, max_depth: of XGBoost; scale_pos_weight: of `boosted_trees`.
    Fitted on the training patients: `booster_`.
    Source: report 5.1.2, "with only clinical data".
    """

    booster_: XGBClassifier

    def __init__(
        self,
        *,
        trees: int,
        learning_rate: float,
        max_depth: int,
        scale_pos_weight: float | Literal["balanced"],
        seed: int,
    ) -> None:
        self.trees = trees
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.scale_pos_weight = scale_pos_weight
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from clinical attributes with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.booster_ = boosted_trees(
            clinical.matrix(),
            labels,
            trees=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.max_depth,
            scale_pos_weight=self.scale_pos_weight,
            seed=self.seed,
        )
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "booster_")
        return probabilities(self.booster_, clinical.matrix())
