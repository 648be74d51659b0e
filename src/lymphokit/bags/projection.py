"""Standardisation and principal components of cells, fitted on the training cells alone."""

from collections.abc import Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.arrays import parts_of
from lymphokit.errors import NotFittedError

_FEW = 0.2  # share of the rank below which a randomised decomposition is the faster one
_SMALLEST_DEVIATION = 1e-6  # a feature below it is constant up to rounding
_KEPT_BYTES = 2**25  # of all cells: fewer are standardised once, more in each pass over them
_MORE_AXES, _POWER_ITERATIONS = 10, 4  # of the randomised decomposition


class Projection:
    """Scale every feature to mean 0 and standard deviation 1, then keep the leading components.

    scale: standardise the features.
    pca: components to keep, at most min(n_cells - 1, n_features); None keeps the features.
    whiten: divide each component by its standard deviation over the training cells.
    seed: of the randomised decomposition, used where few components are wanted.
    With neither scale nor pca, cells stay as they are.
    Source: report 5.1.1 and 5.2.2 c.
    Departs: with scale, the PCA of 5.1.1 works on standardised features; the report has a scaler
    before the PCA in 5.2.2 c alone.
    """

    def __init__(self, *, scale: bool, pca: int | None, seed: int, whiten: bool = False) -> None:
        self.scale = scale
        self.pca = pca
        self.seed = seed
        self.whiten = whiten

    def fit(self, cells: NDArray[np.floating]) -> Self:
        """Learn from the training cells (n_cells, n_features), which may be on disk."""
        self.mean_, deviation = mean_and_deviation(cells)
        self.deviation_ = deviation if self.scale else np.ones_like(deviation)
        self.components_: NDArray[np.float32] | None = None
        if self.pca is not None:
            standardised = _Standardised(cells, self.mean_, self.deviation_)
            self.components_ = leading_axes(standardised, self.pca, self.seed)
            if self.whiten:
                projected = standardised.times(self.components_.T)
                self.components_ /= mean_and_deviation(projected)[1][:, None]
        return self

    def transform(self, cells: NDArray[np.floating]) -> NDArray[np.float32]:
        """The cells (n_cells, n_features) in the fitted coordinates: (n_cells, k) float32.

        Raises NotFittedError before `fit`.
        """
        if not hasattr(self, "mean_"):
            raise NotFittedError("fit the projection before transforming cells with it")
        if not self.scale and self.pca is None:
            return np.asarray(cells, dtype=np.float32)
        standardised = _Standardised(cells, self.mean_, self.deviation_)
        if self.components_ is None:
            return np.concatenate(list(standardised.parts()))
        return standardised.times(self.components_.T)


def mean_and_deviation(
    cells: NDArray[np.floating],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of every feature, summed in double precision.

    The deviation of a constant feature is 1: divided by it, the feature stays 0 instead of nan.
    """
    mean, variance = np.zeros(cells.shape[1]), np.zeros(cells.shape[1])
    for part in _parts(cells):
        mean += part.sum(axis=0, dtype=np.float64) / len(cells)
    for part in _parts(cells):
        variance += np.square(part - mean).sum(axis=0) / len(cells)
    deviation = np.sqrt(variance).astype(np.float32)
    is_constant = deviation <= _SMALLEST_DEVIATION
    return mean.astype(np.float32), np.where(is_constant, np.float32(1.0), deviation)


def _parts(cells: NDArray[np.floating]) -> Iterator[NDArray[np.float32]]:
    return (np.asarray(part, dtype=np.float32) for part in parts_of(cells))


class _Standardised:
    """Standardised cells, computed part by part each time they are passed over.

    Kept from the first time on where they are small.
    """

    def __init__(
        self,
        cells: NDArray[np.floating],
        mean: NDArray[np.float32],
        deviation: NDArray[np.float32],
    ) -> None:
        self.shape = cells.shape
        self._cells, self._mean, self._deviation = cells, mean, deviation
        self._kept: list[NDArray[np.float32]] = []

    def parts(self) -> Iterator[NDArray[np.float32]]:
        """The standardised cells, part by part."""
        if self._kept:
            yield from self._kept
            return
        is_small = 4 * self.shape[0] * self.shape[1] <= _KEPT_BYTES
        for part in _parts(self._cells):
            centred = part - self._mean
            centred /= self._deviation
            self._kept += [centred] * is_small
            yield centred

    def times(self, axes: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cells along axes (n_features, k): (n_cells, k)."""
        products = np.empty((self.shape[0], axes.shape[1]), dtype=np.float32)
        start = 0
        for part in self.parts():
            np.matmul(part, axes, out=products[start : start + len(part)])
            start += len(part)
        return products

    def transposed_times(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The sum of all cells, by k weights of each (n_cells, k): (n_features, k)."""
        products = np.zeros((self.shape[1], weights.shape[1]), dtype=np.float32)
        start = 0
        for part in self.parts():
            products += part.T @ weights[start : start + len(part)]
            start += len(part)
        return products

    def covariance(self) -> NDArray[np.float64]:
        """The sum of the outer products of all cells: (n_features, n_features)."""
        total = np.zeros((self.shape[1], self.shape[1]))
        for part in self.parts():
            exact = part.astype(np.float64)
            total += exact.T @ exact
        return total


def leading_axes(cells: _Standardised, wanted: int, seed: int) -> NDArray[np.float32]:
    """The leading principal axes (k, n_features) of standardised cells; as many as they allow.

    The largest entry of every axis is positive, as scikit-learn has it, so the axes are unique.
    """
    n_cells, n_features = cells.shape
    rank = max(1, min(n_cells - 1, n_features))
    wanted = min(wanted, rank)
    if wanted < _FEW * rank:
        axes = _randomised_axes(cells, wanted, seed)
    elif n_cells >= n_features:
        axes = np.linalg.eigh(cells.covariance())[1].T[::-1]
    else:  # few cells
        axes = np.linalg.svd(np.concatenate(list(cells.parts())), full_matrices=False)[2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return np.asarray(axes * np.sign(largest), dtype=np.float32)[:wanted]


def _randomised_axes(cells: _Standardised, wanted: int, seed: int) -> NDArray[np.float32]:
    """Principal axes by power iterations on a random subspace: (wanted, n_features).

    Source: Halko et al. 2011, as in scikit-learn's PCA, which needs all cells in memory, twice. The
    steps are the same and start from the same random numbers; only sums are rounded otherwise.
    """
    # Imported here: the registry imports every model, and most jobs fit no components.
    from scipy.linalg import lu

    is_wide = cells.shape[0] < cells.shape[1]  # the random subspace is one of the shorter side
    forth = cells.transposed_times if is_wide else cells.times
    back = cells.times if is_wide else cells.transposed_times
    shape = (min(cells.shape), wanted + _MORE_AXES)
    basis = np.random.RandomState(seed).normal(size=shape).astype(np.float32)
    for _ in range(_POWER_ITERATIONS):
        basis, _ = lu(forth(basis), permute_l=True, check_finite=False)
        basis, _ = lu(back(basis), permute_l=True, check_finite=False)
    basis, _ = np.linalg.qr(forth(basis))
    left, _, right = np.linalg.svd(back(basis).T, full_matrices=False)
    return np.asarray((basis @ left).T if is_wide else right, dtype=np.float32)
