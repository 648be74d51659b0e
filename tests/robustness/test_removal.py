"""Columns are removed as by a ridge regression, which sees the training patients alone."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from lymphokit.robustness.removal import Removal

RNG = np.random.default_rng(0)
COLUMNS, DESCRIPTORS = RNG.normal(3, 2, (80, 5)), RNG.normal(size=(80, 12))


def test_what_is_left_are_the_residuals_of_scikit_learns_ridge() -> None:
    scaled = StandardScaler().fit_transform(COLUMNS)
    expected = Ridge(alpha=1e-3 * len(scaled)).fit(scaled, DESCRIPTORS)
    found = Removal.fit(COLUMNS, DESCRIPTORS).residuals(COLUMNS, DESCRIPTORS)
    slopes = expected.coef_.T
    assert found == pytest.approx(DESCRIPTORS - scaled @ slopes, abs=1e-10)


def test_what_is_linear_in_the_columns_goes_and_the_rest_stays() -> None:
    linear = COLUMNS @ RNG.normal(size=(5, 12)) + 7
    left = Removal.fit(COLUMNS, linear).residuals(COLUMNS, linear)
    assert left.std(axis=0).max() < 0.01 * linear.std(axis=0).min()
    apart = DESCRIPTORS - Removal.fit(COLUMNS, DESCRIPTORS).residuals(COLUMNS, DESCRIPTORS)
    again = Removal.fit(COLUMNS, DESCRIPTORS - apart)
    assert np.abs(again.slopes).max() < 1e-3


def test_nearly_equal_columns_get_no_slopes_of_noise() -> None:
    twice = np.column_stack([COLUMNS, COLUMNS + RNG.normal(0, 1e-6, COLUMNS.shape)])
    slopes = Removal.fit(twice, DESCRIPTORS).slopes
    assert np.abs(slopes).max() < 1.0


def test_constant_columns_and_none_remove_nothing() -> None:
    for columns in (np.full((80, 2), 3.0), np.empty((80, 0))):
        found = Removal.fit(columns, DESCRIPTORS).residuals(columns + 1, DESCRIPTORS)
        assert np.array_equal(found, DESCRIPTORS)
