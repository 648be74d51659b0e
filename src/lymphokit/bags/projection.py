"""Standardisation and principal components of cells, fitted on the training cells alone."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import NotFittedError

_FEW = 0.2  # share of the rank below which a randomised decomposition is the faster one


class Projection:
    """Scale every feature to mean 0 and deviation 1, then keep the leading components.

    scale: standardise the features; pca: components to keep, at most what the cells allow
    (`min(n_cells - 1, n_features)`), None to keep the features; seed: of the randomised
    decomposition that serves where few components are wanted. With neither, cells stay as they are.
    Source: report 5.1.1 and 5.2.2 c.
    """

    def __init__(self, *, scale: bool, pca: int | None, seed: int) -> None:
        self.scale = scale
        self.pca = pca
        self.seed = seed

    def fit(self, cells: NDArray[np.floating]) -> Self:
        """Learn from the training cells (n_cells, n_features)."""
        cells = np.asarray(cells, dtype=np.float32)
        self.mean_ = cells.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.deviation_ = self._deviation(cells)
        self.components_: NDArray[np.float32] | None = None
        if self.pca is not None:
            self.components_ = self._leading((cells - self.mean_) / self.deviation_, self.pca)
        return self

    def transform(self, cells: NDArray[np.floating]) -> NDArray[np.float32]:
        """The cells (n_cells, n_features) in the fitted coordinates: (n_cells, k) float32."""
        if not hasattr(self, "mean_"):
            raise NotFittedError("fit the projection before transforming cells with it")
        if not self.scale and self.pca is None:
            return np.asarray(cells, dtype=np.float32)
        centred = np.asarray(cells, dtype=np.float32) - self.mean_
        centred /= self.deviation_
        projected = centred if self.components_ is None else centred @ self.components_.T
        return np.asarray(projected, dtype=np.float32)

    def _deviation(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.scale:
            return np.ones(cells.shape[1], dtype=np.float32)
        deviation = cells.std(axis=0, dtype=np.float64).astype(np.float32)
        # A constant feature says nothing; dividing by 1 keeps it at 0 instead of at nan.
        return np.where(deviation > 1e-6, deviation, np.float32(1.0))

    def _leading(self, centred: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
        from sklearn.decomposition import PCA

        rank = max(1, min(len(centred) - 1, centred.shape[1]))
        if wanted < _FEW * rank:
            pca = PCA(wanted, svd_solver="randomized", iterated_power=4, random_state=self.seed)
            return np.asarray(pca.fit(centred).components_, dtype=np.float32)
        return exact_components(centred, min(wanted, rank))


def exact_components(centred: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """The k leading principal axes (k, n_features) of centred cells (n_cells, n_features).

    From the eigenvectors of the smaller of the two Gram matrices: with fewer cells than features
    the same axes as a singular value decomposition for a fraction of its cost. Each axis points
    where its largest entry is positive, so that the answer is unique.
    """
    from scipy.linalg import eigh

    n_cells, n_features = centred.shape
    if n_cells < n_features:
        gram = (centred @ centred.T).astype(np.float64)
        variance, left = eigh(gram, subset_by_index=[n_cells - k, n_cells - 1])
        length = np.sqrt(np.maximum(variance, np.finfo(np.float32).tiny))
        axes = (left / length).T.astype(np.float32) @ centred
        axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    else:
        covariance = (centred.T @ centred).astype(np.float64)
        _, right = eigh(covariance, subset_by_index=[n_features - k, n_features - 1])
        axes = right.T.astype(np.float32)
    axes = axes[::-1]
    peaks = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return np.ascontiguousarray(axes * np.where(peaks < 0, -1.0, 1.0).astype(np.float32))
