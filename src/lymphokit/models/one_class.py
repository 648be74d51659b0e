"""One-class SVM: the cells that look like none of the reactive patients' cells."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.svm import OneClassSVM

from lymphokit.bags.checks import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.bags.segments import segment_mean
from lymphokit.models.cross_fit import held_out_parts
from lymphokit.solvers.logistic import fit_rising_line

_TOLERANCE = 1e-6  # of the solver; its own 1e-3 lets the order of the cells show


@dataclass(frozen=True)
class Boundary:
    """A boundary around cells, and the coordinates it is drawn in."""

    projection: Projection
    svm: OneClassSVM

    def margins(self, bags: Bags) -> NDArray[np.float64]:
        """The margin of each cell, negative outside the boundary: (n_cells,)."""
        cells = self.projection.transform(bags.instances)
        return np.asarray(self.svm.decision_function(cells), dtype=np.float64)

    def shares_outside(self, bags: Bags) -> NDArray[np.float64]:
        """The share of each bag's cells that lie outside the boundary: (n_bags,)."""
        is_outside = (self.margins(bags) < 0.0).astype(np.float64)
        return np.asarray(segment_mean(is_outside, bags.offsets), dtype=np.float64)


class OneClass:
    """A boundary around the cells of reactive patients; a patient is the share outside it.

    All cells of a reactive patient are normal, so a boundary that holds most of them is learned
    from cells of known label. Malignant cells are to show as outliers.

    scale, pca: of `Projection`. nu: the share of the reactive cells fitted on that may lie
    outside; gamma: the width of the RBF kernel, exp(-gamma |a - b|^2), `scale` for 1 / (components
    * variance). cross_fit: parts, stratified by label, in turn left out of a boundary that then
    rates them: the cells that a boundary was drawn around lie outside it in share nu by
    construction, those of new reactive patients in whatever share they do. The rising logistic
    regression from share to probability is fitted on these shares.

    Fitted: `boundary_`, projection and one-class SVM, on all cells of the reactive training
    patients and on no other cell; `shares_` (n_bags,) cross-fitted, of `fit`'s bags; `slope_`, at
    least 0, and `intercept_` of the regression on them. Nothing is drawn at random but the parts
    and the projection.
    Source: report, appendix "One-Class-SVM"; Scholkopf et al. 2001.
    Departs: the report looks at the margins' histograms and stops there, without settings or a
    rule for the bag; standardisation, components, nu, gamma and the regression are ours.
    """

    boundary_: Boundary
    shares_: NDArray[np.float64]
    slope_: float
    intercept_: float

    def __init__(
        self,
        *,
        scale: bool,
        pca: int | None,
        nu: float,
        gamma: float | Literal["scale"],
        cross_fit: int,
        seed: int,
    ) -> None:
        self.scale = scale
        self.pca = pca
        self.nu = nu
        self.gamma = gamma
        self.cross_fit = cross_fit
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless each label occurs twice.
        """
        require_both_classes(labels)
        self.boundary_ = self._around(bags.take(np.flatnonzero(labels == 0)))
        self.shares_ = np.empty(len(bags))
        parts = held_out_parts(bags.ids, labels, parts=self.cross_fit, seed=self.seed)
        for kept, rated in parts:
            boundary = self._around(bags.take(kept[labels[kept] == 0]))
            self.shares_[rated] = boundary.shares_outside(bags.take(rated))
        # Outliers speak for a malignancy or, at most, for nothing: the slope is not negative.
        self.slope_, self.intercept_ = fit_rising_line(self.shares_, labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> NDArray[np.float64]:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
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
        """The boundary around all cells of these bags."""
        projection = Projection(scale=self.scale, pca=self.pca, seed=self.seed)
        cells = projection.fit(reactive.instances).transform(reactive.instances)
        svm = OneClassSVM(kernel="rbf", nu=self.nu, gamma=self.gamma, tol=_TOLERANCE)
        return Boundary(projection, svm.fit(cells))
