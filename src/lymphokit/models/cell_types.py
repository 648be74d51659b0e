"""Logistic regression on how many cells of each type a bag has; types are found without labels."""

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags import segments
from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.models.registry import register
from lymphokit.settings import Positive, Width
from lymphokit.solvers.balanced_logistic import BalancedLogistic

if TYPE_CHECKING:
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

_STARTS = 2  # of k-means
_SOFTNESS = 4.0  # square distance, in whitened units, over which a cell's weight falls to 1/e
_MOST = 6.0  # standard deviations; a type that one patient alone has would rule otherwise
Floats = NDArray[np.float64]


class CellTypesSettings(ModelSettings):
    """Settings of `CellTypes`."""

    kind: Literal["cell_types"]
    features: str
    pca: Width
    """Principal components of the cells, whitened."""
    types: Width
    """Types of cells, at most as many as training cells."""
    C: Positive
    """Inverse strength of the ridge."""


@register(CellTypesSettings)
class CellTypes(BagModel[CellTypesSettings]):
    """A bag as the shares of its cells that belong to each of many types; logistic regression.

    Cells are standardised, projected and whitened; k-means finds the types. A cell belongs to the
    types near it, with weights exp(-(d^2 - least d^2) / 4) that add up to 1. The shares of a bag
    are the mean of its cells' weights; their square roots, whose variance does not grow with the
    share, are standardised over the training patients and clipped. Both classes weigh the same.

    Fitted on the training patients: `projection_`, `means_`, `scaler_`, `regression_`.

    Source: bags of visual words, Csurka et al. 2004; square roots of shares, Arandjelovic and
    Zisserman 2012.
    """

    projection_: Projection
    means_: "KMeans"
    scaler_: "StandardScaler"
    regression_: BalancedLogistic

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        from sklearn.cluster import KMeans
        from sklearn.preprocessing import StandardScaler

        require_both_classes(labels)
        self.projection_ = Projection(
            scale=True, pca=self.settings.pca, seed=self.seed, whiten=True
        ).fit(bags.instances)
        cells = self.projection_.transform(bags.instances)
        types = min(self.settings.types, len(np.unique(cells, axis=0)))
        # In an order that the bags do not change, since the starts of k-means depend on it.
        ordered = cells[np.lexsort(cells.T[::-1])]
        self.means_ = KMeans(types, n_init=_STARTS, random_state=self.seed).fit(ordered)
        shares = self.shares(bags)
        self.scaler_ = StandardScaler().fit(np.sqrt(shares))
        self.regression_ = BalancedLogistic(self.settings.C).fit(self._standardised(shares), labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> Floats:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "regression_")
        return self.regression_.predict_proba(self.descriptors(bags))

    def descriptors(self, bags: Bags) -> Floats:
        """Standardised square roots of the shares of types: (n_bags, n_types).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "scaler_")
        return self._standardised(self.shares(bags))

    def shares(self, bags: Bags) -> Floats:
        """The share of each bag's cells that belong to each type: (n_bags, n_types).

        Raises NotFittedError before `fit`.
        """
        weights = self.weights(bags.instances)
        return np.asarray(segments.segment_mean(weights, bags.offsets), dtype=np.float64)

    def weights(self, instances: NDArray[np.floating]) -> Floats:
        """How far each cell belongs to each type, 1 in all: (n_cells, n_types).

        Raises NotFittedError before `fit`.
        """
        from scipy.spatial.distance import cdist

        require_fitted(self, "means_")
        cells = self.projection_.transform(instances)
        weights = cdist(cells, self.means_.cluster_centers_, "sqeuclidean")
        weights -= weights.min(axis=1, keepdims=True)
        weights /= -_SOFTNESS
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray(weights)

    def cell_scores(self, bags: Bags) -> Floats:
        """The weight of the types that each cell belongs to: (n_cells,).

        In log odds of classes of equal size, for one standard deviation more of such cells.
        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "regression_")
        return np.asarray(self.weights(bags.instances) @ self.regression_.weights_)

    def _standardised(self, shares: Floats) -> Floats:
        standardised = self.scaler_.transform(np.sqrt(shares))
        return np.asarray(np.clip(standardised, -_MOST, _MOST), dtype=np.float64)
