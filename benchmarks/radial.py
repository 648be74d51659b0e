"""MI-SVM with a radial kernel: the linear MI-SVM in coordinates spanned by few cells."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular
from sklearn.metrics.pairwise import rbf_kernel

from lymphokit.bags.contract import require_both_classes, require_fitted
from lymphokit.bags.packed import Bags
from lymphokit.bags.projection import Projection
from lymphokit.bags.segments import segment_max, segment_mean
from lymphokit.models.mi_svm import alternate
from subsample import subsample_cells

Floats = NDArray[np.float64]

_LEFT = 1e-8  # tolerated residual of a cell's squared norm, which is 1
_FEW = 5  # cells of a bag that are added at once
_HIGHER = 1e-6  # by which the margin of a cell must exceed those of the known cells of its bag


class RadialCoordinates:
    """Coordinates whose inner products are the kernel exp(-gamma |x - y|^2) of the fitted cells.

    A pivoted Cholesky factor, with as many coordinates as leave a residual of 1e-8 of the squared
    norm of every fitted cell; a new cell gets its projection onto the fitted ones.
    Fitted: `landmarks_` (r, n_features) the pivots, `root_` (r, r) lower triangular.
    """

    landmarks_: NDArray[np.floating]
    root_: Floats

    def __init__(self, gamma: float) -> None:
        self.gamma = gamma

    def fit(self, cells: NDArray[np.floating]) -> Self:
        """Learn from cells (n_cells, n_features)."""
        kernel = rbf_kernel(cells, gamma=self.gamma)
        factor, pivots, rank, _ = lapack.dpstrf(kernel, tol=_LEFT, lower=1)
        self.landmarks_ = cells[pivots[:rank] - 1]
        self.root_ = np.tril(factor[:rank, :rank])
        return self

    def transform(self, cells: NDArray[np.floating]) -> Floats:
        """The coordinates (n_cells, r) of cells (n_cells, n_features)."""
        kernel = rbf_kernel(self.landmarks_, cells, gamma=self.gamma)
        return np.ascontiguousarray(solve_triangular(self.root_, kernel, lower=True).T)

    def products(self, cells: NDArray[np.floating], weights: Floats) -> Floats:
        """transform(cells) @ weights, without computing the coordinates: (n_cells,)."""
        of_landmarks = solve_triangular(self.root_, weights, lower=True, trans="T")
        products: Floats = rbf_kernel(cells, self.landmarks_, gamma=self.gamma) @ of_landmarks
        return products


class RadialMiSvm:
    """MI-SVM with the kernel exp(-gamma |x - y|^2) on standardised cells.

    The linear MI-SVM in the coordinates of a working set of known cells, exact for these cells.
    It starts from `first_cells` of each bag, drawn at random. Cells with a higher margin than all
    known cells of their bag are added, and the alternation goes on until there are none. The result
    is a fixed point of the alternation over all cells, without the kernel of all pairs of cells.

    C: the penalty of one unit of slack. Fitted: `projection_`, `coordinates_`, `weights_`,
    `bias_`, `known_` the positions of the known cells, `witnesses_` (n_positive_bags,) the
    highest cell of each positive bag, `objective_`.
    Source: Andrews et al. 2002.
    """

    projection_: Projection
    coordinates_: RadialCoordinates
    weights_: Floats
    bias_: float
    known_: NDArray[np.int64]
    witnesses_: NDArray[np.int64]
    objective_: float

    def __init__(
        self, *, gamma: float, C: float, max_iterations: int, first_cells: int, seed: int
    ) -> None:
        self.gamma = gamma
        self.C = C
        self.max_iterations = max_iterations
        self.first_cells = first_cells
        self.seed = seed

    def fit(self, bags: Bags, labels: NDArray[np.int64]) -> Self:
        """Learn from bags with labels (n_bags,) in {0, 1}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.projection_ = Projection(scale=True, pca=None, seed=self.seed).fit(bags.instances)
        bags = bags.with_instances(self._scaled(bags))
        drawn = np.random.default_rng(self.seed).random(len(bags.instances))
        self.known_ = subsample_cells(bags.offsets, self.first_cells, drawn)
        self._alternate(bags, labels, start=None)
        while len(unknown := self._unknown(bags, labels)):
            self.known_ = np.union1d(self.known_, unknown)
            self._alternate(bags, labels, start=bags.instances[self.witnesses_])
        return self

    def decision_function(self, bags: Bags) -> Floats:
        """The margin of each bag, that of its highest cell: (n_bags,).

        Raises NotFittedError before `fit`.
        """
        require_fitted(self, "weights_")
        margins = self._margins(self._scaled(bags))
        return np.asarray(segment_max(margins, bags.offsets), dtype=np.float64)

    def _scaled(self, bags: Bags) -> Floats:
        return self.projection_.transform(bags.instances).astype(np.float64)

    def _margins(self, cells: NDArray[np.floating]) -> Floats:
        return self.coordinates_.products(cells, self.weights_) + self.bias_

    def _known(self, bags: Bags) -> NDArray[np.int64]:
        """Where each bag's known cells begin among all known ones: (n_bags + 1,)."""
        return np.searchsorted(self.known_, bags.offsets)

    def _alternate(
        self, bags: Bags, labels: NDArray[np.int64], start: NDArray[np.floating] | None
    ) -> None:
        """The linear MI-SVM of the known cells, from their means or these representatives."""
        known = bags.instances[self.known_]
        self.coordinates_ = RadialCoordinates(self.gamma).fit(known)
        few = Bags(self.coordinates_.transform(known), self._known(bags), bags.ids)
        positive_bags = np.flatnonzero(labels == 1)
        positives, negatives = few.take(positive_bags), few.take(np.flatnonzero(labels == 0))
        first = (
            segment_mean(positives.instances, positives.offsets)
            if start is None
            else self.coordinates_.transform(start)
        )
        end = alternate(positives, negatives, first, self.C, self.max_iterations)
        self.weights_, self.bias_ = end.separation.weights, end.separation.bias
        self.objective_ = end.objectives[-1]
        self.witnesses_ = self.known_[few.cells_of(positive_bags)[end.witnesses]]

    def _unknown(self, bags: Bags, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The highest few cells of each bag that lie above its known ones and may matter.

        Those of a negative bag matter only within the margin.
        """
        margins = self._margins(bags.instances)
        highest = segment_max(margins[self.known_], self._known(bags))
        matters = np.where(labels == 1, highest, np.maximum(highest, -1.0)) + _HIGHER
        is_above = margins > matters[bags.bag_of]
        few = subsample_cells(bags.offsets, _FEW, np.where(is_above, -margins, np.inf))
        return few[is_above[few]]
