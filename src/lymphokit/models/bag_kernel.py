"""Logistic regression in the space of a kernel between bags: the similarity of their cells."""

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.contract import BagModel, ModelSettings, require_both_classes, require_fitted
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.projection import Projection
from lymphokit.models.registry import register
from lymphokit.settings import Positive, Width
from lymphokit.solvers.balanced_logistic import BalancedLogistic

_MEDIAN_CELLS = 2000  # whose pairwise distances give the median
_LEAST_EIGENVALUE = 1e-9  # for each bag, whose similarity to itself is at most 1; rounding below
_BLOCK_BYTES = 2**22  # of similarities to all training cells that are in memory at once
Floats = NDArray[np.float64]


class BagKernelSettings(ModelSettings):
    """Settings of `BagKernel`."""

    kind: Literal["bag_kernel"]
    features: str
    pca: Width
    """Principal components of the cells, whitened."""
    width: Positive
    """Of the kernel of two cells: exp(-width d^2 / median of d^2)."""
    C: Positive
    """Inverse strength of the ridge."""


@register(BagKernelSettings)
class BagKernel(BagModel[BagKernelSettings]):
    """Two bags are as similar as their cells are on average; logistic regression in that space.

    Cells are standardised, projected and whitened. The similarity of two cells is a Gaussian of
    their distance d; that of two bags is the mean over all pairs of their cells, an inner product
    of the bags' mean maps, so that bags with another mixture of cells differ even where the mean
    of every feature is equal. The training bags' kernel is centred; its eigenvectors are the
    coordinates of a bag, scaled to unit mean square length, so that C means the same for any bank.
    Both classes weigh the same.

    Fitted on the training patients: `projection_`, `cells_`, `offsets_`, `rate_`, `axes_`,
    `centre_`, `regression_`.

    Source: Muandet et al. 2012, Learning from distributions via support measure machines.
    """

    projection_: Projection
    regression_: BalancedLogistic

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:  # noqa: ARG002
        """Learn from bags with labels (n_bags,) in {0 reactive, 1 tumoral}.

        Raises ValueError unless both classes occur.
        """
        require_both_classes(labels)
        self.projection_ = Projection(
            scale=True, pca=self.settings.pca, seed=self.seed, whiten=True
        ).fit(bags.instances)
        self.cells_ = self.projection_.transform(bags.instances)
        self.offsets_ = bags.offsets
        self.rate_ = self.settings.width / _median_square_distance(self.cells_)
        kernel = self._similarity_of_bags(bags)
        self._fit_axes(kernel)
        self.regression_ = BalancedLogistic(self.settings.C).fit(self._coordinates(kernel), labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> Floats:  # noqa: ARG002
        """Probability of a tumoral lymphocytosis: (n_bags,). Raises NotFittedError before `fit`."""
        require_fitted(self, "regression_")
        return self.regression_.predict_proba(self.descriptors(bags))

    def descriptors(self, bags: Bags) -> Floats:
        """The coordinates of bags: (n_bags, n_axes). Raises NotFittedError before `fit`."""
        require_fitted(self, "axes_")
        return self._coordinates(self._similarity_of_bags(bags))

    def cell_scores(self, bags: Bags) -> Floats:
        """The log odds of a bag of this cell alone, of classes of equal size: (n_cells,).

        Their mean over a bag is the log odds of the bag. Raises NotFittedError before `fit`.
        """
        require_fitted(self, "regression_")
        blocks = self._similarities(bags.instances)
        scores = (self.regression_.balanced_log_odds(self._coordinates(each)) for each in blocks)
        return np.concatenate(list(scores))

    def _fit_axes(self, kernel: Floats) -> None:
        """Centre the kernel (n_bags, n_bags) of the training bags and keep its eigenvectors."""
        self.centre_ = kernel.mean(axis=0)
        centred = kernel - self.centre_ - self.centre_[:, None] + kernel.mean()
        values, vectors = np.linalg.eigh((centred + centred.T) / 2)
        kept = values > _LEAST_EIGENVALUE * len(kernel)
        unit = np.sqrt(values[kept].sum() / len(kernel))
        self.axes_ = vectors[:, kept] / np.sqrt(values[kept]) / unit
        if not kept.any():  # all bags are equal, and at the origin
            self.axes_ = np.zeros((len(kernel), 1))

    def _coordinates(self, kernel: Floats) -> Floats:
        """From similarities to the training bags (n, n_bags): (n, n_axes)."""
        # What is constant over the training bags is orthogonal to every axis of a centred kernel.
        return np.asarray((kernel - self.centre_) @ self.axes_)

    def _similarity_of_bags(self, bags: Bags) -> Floats:
        """The mean similarity of the cells of bags to those of every training bag."""
        sums, bag_of, start = np.zeros((len(bags), len(self.offsets_) - 1)), bags.bag_of, 0
        for block in self._similarities(bags.instances):
            np.add.at(sums, bag_of[start : start + len(block)], block)
            start += len(block)
        return np.asarray(sums / bags.sizes[:, None])

    def _similarities(self, instances: NDArray[np.floating]) -> Iterator[Floats]:
        """The mean similarity of each cell to the cells of every training bag, in blocks of cells.

        Only a few rows of the matrix of all pairs are in memory: (n, n_bags) each.
        """
        squares = np.square(self.cells_).sum(axis=1)
        sizes = np.diff(self.offsets_)
        step = max(1, _BLOCK_BYTES // (4 * len(self.cells_)))
        for start in range(0, len(instances), step):
            block = self.projection_.transform(instances[start : start + step])
            distances = block @ (-2 * self.cells_.T)
            distances += squares
            distances += np.square(block).sum(axis=1)[:, None]
            np.maximum(distances, 0, out=distances)  # rounding can make it slightly negative
            distances *= -self.rate_
            similar = np.exp(distances, out=distances)
            sums = np.add.reduceat(similar, self.offsets_[:-1], axis=1, dtype=np.float64)
            yield np.asarray(sums / sizes)


def _median_square_distance(cells: NDArray[np.float32]) -> float:
    """The median over pairs of different cells, of at most `_MEDIAN_CELLS` evenly spaced ones."""
    from scipy.spatial.distance import pdist

    step = -(-len(cells) // _MEDIAN_CELLS)
    distances = pdist(cells[::step], "sqeuclidean")
    median = float(np.median(distances, overwrite_input=True)) if len(distances) else 0.0
    return median if median > 0 else 1.0
