"""One-class SVM: the cells that look like none of the reactive patients' cells."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.bags.segments import segment_mean
from lymphokit.models.cross_fit import held_out_parts
from lymphokit.models.registry import register
from lymphokit.settings import OpenShare, Parts, Positive, Width

if TYPE_CHECKING:
    from sklearn.svm import OneClassSVM

_CACHE_MB = 16  # of kernel values; of 200, as scikit-learn has it, memory would grow with the cells
_TOLERANCE = 1e-6  # of the solver: with its default 1e-3 results depend on the order of the cells


@dataclass(frozen=True)
class Boundary:
    """A fitted one-class SVM, and the projection that its cells go through first."""

    projection: Projection
    svm: "OneClassSVM"

    def margins(self, bags: Bags) -> NDArray[np.float64]:
        """The margin of each cell, negative outside the boundary: (n_cells,)."""
        cells = self.projection.transform(bags.instances)
        return np.asarray(self.svm.decision_function(cells), dtype=np.float64)

    def shares_outside(self, bags: Bags) -> NDArray[np.float64]:
        """The share of each bag's cells that lie outside the boundary: (n_bags,)."""
        is_outside = (self.margins(bags) < 0.0).astype(np.float64)
        return np.asarray(segment_mean(is_outside, bags.offsets), dtype=np.float64)


class OneClassSettings(ModelSettings):
    """Settings of `OneClass`."""

    kind: Literal["one_class_svm"]
    features: str
    scale: bool
    """Standardise the features over the reactive training cells."""
    pca: Width | None
    """Principal components, fitted on the reactive training cells; None keeps the features."""
    nu: OpenShare
    """Share of the reactive training cells that may lie outside the boundary."""
    gamma: Positive | Literal["scale"]
    """Of the RBF kernel exp(-gamma |a - b|^2); `scale` is 1 / (components * variance)."""
    cross_fit: Parts
    """Parts, stratified by label, each scored by a boundary fitted on the other parts."""


@register(OneClassSettings)
class OneClass(BagModel[OneClassSettings]):
    """A one-class SVM around the cells of reactive patients; the share of a bag outside it.

    All cells of a reactive patient are normal, so the boundary is fitted on cells of known label,
    and malignant cells should appear as outliers. A logistic regression with a slope of at least 0
    maps a bag's share of outliers to a probability. Its training shares are cross-fitted: of the
    cells that a boundary was fitted on, a share of nu lies outside by construction, which is not
    the share for new reactive patients.

    Fitted: `boundary_`, projection and one-class SVM, on all cells of the reactive training
    patients and on no other cell; `shares_` (n_bags,) cross-fitted, of the training bags; `slope_`
    and `intercept_` of the regression on them. The seed decides the parts and the projection only.

    Source: report, appendix "One-Class-SVM"; Scholkopf et al. 2001.
    Departs: the report inspects histograms of margins and gives neither settings nor a rule for
    the bag; standardisation, components, nu, gamma and the regression are additions.
    """

    boundary_: Boundary
    shares_: NDArray[np.float64]
    slope_: float
    intercept_: float

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless each label occurs twice.
        """
        require_both_classes(labels)
        self.boundary_ = self._around(bags.take(np.flatnonzero(labels == 0)))
        self.shares_ = np.empty(len(bags))
        parts = held_out_parts(bags.ids, labels, parts=self.settings.cross_fit, seed=self.seed)
        for kept, rated in parts:
            boundary = self._around(bags.take(kept[labels[kept] == 0]))
            self.shares_[rated] = boundary.shares_outside(bags.take(rated))
        # More outliers never lower the probability: on few patients a free slope may turn negative.
        from lymphokit.solvers.logistic import fit_rising_line

        self.slope_, self.intercept_ = fit_rising_line(self.shares_, labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        from scipy.special import expit

        require_fitted(self, "intercept_")
        shares = self.boundary_.shares_outside(bags)
        return np.asarray(expit(self.slope_ * shares + self.intercept_), dtype=np.float64)

    def cell_scores(self, bags: Bags) -> NDArray[np.float64]:
        """Minus the margin of each cell, positive outside the boundary: (n_cells,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "boundary_")
        return -self.boundary_.margins(bags)

    def _around(self, reactive: Bags) -> Boundary:
        """The boundary fitted on all cells of these bags."""
        from sklearn.svm import OneClassSVM

        settings = self.settings
        projection = Projection(scale=settings.scale, pca=settings.pca, seed=self.seed)
        cells = projection.fit(reactive.instances).transform(reactive.instances)
        settled = {"nu": settings.nu, "gamma": settings.gamma, "tol": _TOLERANCE}
        svm = OneClassSVM(kernel="rbf", cache_size=_CACHE_MB, **settled)
        return Boundary(projection, svm.fit(cells))
