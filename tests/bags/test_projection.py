"""Projection against scikit-learn, and its corners."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from lymphokit.arrays import open_array
from lymphokit.bags import projection
from lymphokit.bags.projection import Projection
from lymphokit.errors import NotFittedError


def correlated(n_cells: int, n_features: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(n_cells, 12)) * np.geomspace(10, 1, 12)
    return (factors @ rng.normal(size=(12, n_features)) + 5.0).astype(np.float32)


@pytest.mark.parametrize(("n_cells", "n_features"), [(40, 90), (90, 40), (200, 60)])
@pytest.mark.parametrize("pca", [3, 12])  # few: randomised; many: exact
def test_projected_cells_equal_a_scaler_and_pca_with_the_same_signs(
    n_cells: int, n_features: int, pca: int
) -> None:
    cells = correlated(n_cells, n_features)
    ours = Projection(scale=True, pca=pca, seed=0).fit(cells).transform(cells)
    scaled = StandardScaler().fit_transform(cells.astype(np.float64))
    theirs = PCA(pca, svd_solver="full").fit_transform(scaled)
    np.testing.assert_allclose(ours[:, :3], theirs[:, :3], atol=2e-2)


@pytest.mark.parametrize(("n_cells", "n_features"), [(40, 90), (90, 40)])
def test_the_largest_entry_of_every_axis_is_positive(n_cells: int, n_features: int) -> None:
    axes = Projection(scale=True, pca=12, seed=0).fit(correlated(n_cells, n_features)).components_
    assert axes is not None
    assert (axes.max(axis=1) >= -axes.min(axis=1)).all()


def test_more_components_than_the_cells_allow_are_as_many_as_they_allow() -> None:
    cells = correlated(20, 60)
    assert Projection(scale=True, pca=3000, seed=0).fit(cells).transform(cells).shape == (20, 19)


def test_a_constant_feature_stays_finite() -> None:
    cells = correlated(20, 5)
    cells[:, 2] = 7.0
    assert np.isfinite(Projection(scale=True, pca=None, seed=0).fit(cells).transform(cells)).all()


def test_new_cells_do_not_move_what_was_fitted() -> None:
    cells = correlated(50, 6)
    projection = Projection(scale=True, pca=None, seed=0).fit(cells)
    np.testing.assert_allclose(
        projection.transform(cells[:1] + 1), projection.transform(cells + 1)[:1]
    )


def test_without_scaling_and_components_cells_stay_as_they_are() -> None:
    cells = correlated(20, 5)
    assert np.array_equal(
        Projection(scale=False, pca=None, seed=0).fit(cells).transform(cells), cells
    )


def test_transform_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        Projection(scale=True, pca=None, seed=0).transform(np.ones((2, 2)))


@pytest.mark.parametrize(("n_cells", "n_features"), [(40, 90), (200, 60)])
def test_whitened_components_equal_those_of_scikit_learn(n_cells: int, n_features: int) -> None:
    cells = correlated(n_cells, n_features)
    ours = Projection(scale=True, pca=3, seed=0, whiten=True).fit(cells).transform(cells)
    scaled = StandardScaler().fit_transform(cells.astype(np.float64))
    theirs = PCA(3, svd_solver="full", whiten=True).fit_transform(scaled)
    theirs *= np.sqrt(n_cells / (n_cells - 1))  # scikit-learn divides by n - 1
    np.testing.assert_allclose(ours, theirs, atol=2e-2)


@pytest.mark.parametrize(("n_cells", "n_features"), [(40, 90), (200, 60)])
@pytest.mark.parametrize("pca", [None, 3, 12, 39])
def test_cells_on_disk_passed_over_in_parts_give_what_cells_in_memory_give(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_cells: int,
    n_features: int,
    pca: int | None,
) -> None:
    cells = correlated(n_cells, n_features)
    np.save(tmp_path / "cells.npy", cells)
    whole = Projection(scale=True, pca=pca, seed=0, whiten=True).fit(cells).transform(cells)
    monkeypatch.setattr("lymphokit.arrays._PART_BYTES", 7 * 4 * n_features)
    monkeypatch.setattr(projection, "_KEPT_BYTES", 0)
    on_disk = open_array(tmp_path / "cells.npy")
    in_parts = Projection(scale=True, pca=pca, seed=0, whiten=True).fit(on_disk).transform(on_disk)
    np.testing.assert_allclose(in_parts, whole, atol=2e-3)


def test_many_components_are_those_of_a_full_decomposition() -> None:
    rng = np.random.default_rng(3)
    scales = np.geomspace(10, 1, 30)
    for shape in ((25, 30), (300, 30)):  # by the cells, and by the covariance
        cells = (rng.normal(size=shape) * scales).astype(np.float32)
        ours = Projection(scale=False, pca=8, seed=0).fit(cells)
        theirs = PCA(8, svd_solver="full").fit(cells)
        assert ours.components_ is not None
        np.testing.assert_allclose(ours.components_, theirs.components_, atol=1e-4)
