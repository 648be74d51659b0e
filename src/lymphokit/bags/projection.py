"""Standardisation and principal components of cells, fitted on the training cells alone."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import NotFittedError

_FEW = 0.2  # share of the rank below which a randomised decomposition is the faster one
_SMALLEST_DEVIATION = 1e-6  # a feature below it is constant up to rounding


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
        """Learn from the training cells (n_cells, n_features)."""
        cells = np.asarray(cells, dtype=np.float32)
        self.mean_ = cells.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.deviation_ = self._deviation(cells) if self.scale else _ones(cells)
        self.components_: NDArray[np.float32] | None = None
        if self.pca is not None:
            centred = (cells - self.mean_) / self.deviation_
            self.components_ = self._leading(centred, self.pca)
            if self.whiten:
                self.components_ /= self._deviation(centred @ self.components_.T)[:, None]
        return self

    def transform(self, cells: NDArray[np.floating]) -> NDArray[np.float32]:
        """The cells (n_cells, n_features) in the fitted coordinates: (n_cells, k) float32.

        Raises NotFittedError before `fit`.
        """
        if not hasattr(self, "mean_"):
            raise NotFittedError("fit the projection before transforming cells with it")
        if not self.scale and self.pca is None:
            return np.asarray(cells, dtype=np.float32)
        centred = np.asarray(cells, dtype=np.float32) - self.mean_
        centred /= self.deviation_
        projected = centred if self.components_ is None else centred @ self.components_.T
        return np.asarray(projected, dtype=np.float32)

    def _deviation(self, cells: NDArray[np.float32]) -> NDArray[np.float32]:
        deviation = cells.std(axis=0, dtype=np.float64).astype(np.float32)
        # A constant feature is divided by 1, which keeps it at 0 instead of nan.
        return np.where(deviation > _SMALLEST_DEVIATION, deviation, np.float32(1.0))

    def _leading(self, centred: NDArray[np.float32], wanted: int) -> NDArray[np.float32]:
        """The leading principal axes (k, n_features) of centred cells; as many as they allow.

        scikit-learn turns each axis so that its largest entry is positive, whichever the solver,
        so the axes are unique.
        """
        # Imported here: the registry imports every model, and most jobs fit no components.
        from sklearn.decomposition import PCA

        n_cells, n_features = centred.shape
        rank = max(1, min(n_cells - 1, n_features))
        if wanted < _FEW * rank:
            solver = "randomized"
        else:
            # Both are exact; the covariance is the smaller problem where cells outnumber features.
            solver = "covariance_eigh" if n_cells >= n_features else "full"
        pca = PCA(min(wanted, rank), svd_solver=solver, iterated_power=4, random_state=self.seed)
        return np.asarray(pca.fit(centred).components_, dtype=np.float32)


def _ones(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ones(cells.shape[1], dtype=np.float32)
