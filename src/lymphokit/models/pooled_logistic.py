"""Logistic regression on the mean and standard deviation of the cells' features in a bag."""

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models.registry import register
from lymphokit.settings import Positive, Width

if TYPE_CHECKING:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler


class PooledLogisticSettings(ModelSettings):
    """Settings of `PooledLogistic`."""

    kind: Literal["pooled_logistic"]
    features: str
    pca: Width
    """Principal components kept, at most one fewer than there are patients."""
    C: Positive
    """Inverse strength of the ridge, in units of the leading component."""


@register(PooledLogisticSettings)
class PooledLogistic(BagModel[PooledLogisticSettings]):
    """Mean and standard deviation of every feature, principal components, logistic regression.

    All 2 d pooled features are standardised over the training patients before the PCA. The
    components are divided by the standard deviation of the first: they keep their proportions, so
    the ridge shrinks the leading ones least, and C means the same for a bank of any width. Classes
    are not reweighted, so that probabilities stay frequencies. Every step is exact: the seed
    changes nothing.

    Fitted on the training patients: `scaler_`, `pca_`, `unit_`, `regression_`.

    Source: the (mean, std) aggregation of report 5.2.1 and Table 1.
    Departs: a logistic regression in place of the network behind it.
    """

    scaler_: "StandardScaler"
    pca_: "PCA"
    unit_: float
    regression_: "LogisticRegression"

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        require_both_classes(labels)
        features = pooled(bags)
        self.scaler_ = StandardScaler().fit(features)
        components = max(1, min(self.settings.pca, len(bags) - 1, features.shape[1]))
        self.pca_ = PCA(components, svd_solver="full").fit(self.scaler_.transform(features))
        leading = float(np.sqrt(self.pca_.explained_variance_[0]))
        self.unit_ = leading if leading > 0 else 1.0
        regression = LogisticRegression(C=self.settings.C, tol=1e-8, max_iter=1000)
        self.regression_ = regression.fit(self._coordinates(features), labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "regression_")
        probabilities = self.regression_.predict_proba(self._coordinates(pooled(bags)))
        return np.asarray(probabilities[:, 1], dtype=np.float64)

    def _coordinates(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        components = self.pca_.transform(self.scaler_.transform(features))
        return np.asarray(components / self.unit_, dtype=np.float64)


def pooled(bags: Bags) -> NDArray[np.float64]:
    """Each bag's mean, then standard deviation, of every feature: (n_bags, 2 d)."""
    features = np.empty((len(bags), 2 * bags.instances.shape[1]))
    # One bag at a time fits the cache: with thousands of features a tenth of the time of a
    # reduction over all cells, and no second copy of them.
    for bag, (first, end) in enumerate(pairwise(bags.offsets)):
        cells = np.asarray(bags.instances[first:end], dtype=np.float64)
        features[bag] = np.concatenate([cells.mean(axis=0), cells.std(axis=0)])
    return features
