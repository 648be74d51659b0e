"""Many heads at once are the heads that scikit-learn finds one after the other."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lymphokit.solvers.many_heads import NoOptimumError, fit_heads, log_odds


def problems(n_problems=4, n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (n_problems, n))
    rows = rng.normal(size=(n_problems, n, d)) + 0.8 * labels[:, :, None] * (np.arange(d) < 2)
    return rows, labels, rng.uniform(0.2, 2.0, (n_problems, n))


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_every_head_is_scikit_learns_weights_included(C):
    rows, labels, weights = problems()
    heads = fit_heads(rows, labels, weights, C)
    for own, label, weight, head in zip(rows, labels, weights, heads, strict=True):
        oracle = LogisticRegression(C=C, tol=1e-12, max_iter=10_000).fit(own, label, weight)
        np.testing.assert_allclose(head[:-1], oracle.coef_[0], atol=1e-5)
        np.testing.assert_allclose(head[-1], oracle.intercept_[0], atol=1e-5)


def test_a_row_without_weight_teaches_nothing():
    rows, labels, weights = problems()
    weights[:, 40:] = 0.0
    all_rows = fit_heads(rows, labels, weights, 1.0)
    fewer = fit_heads(rows[:, :40], labels[:, :40], weights[:, :40], 1.0)
    np.testing.assert_allclose(all_rows, fewer, atol=1e-10)


def test_a_problem_does_not_feel_those_beside_it():
    rows, labels, weights = problems(n_problems=3)
    rows[0] *= 1e3  # needs more steps than the others
    together = fit_heads(rows, labels, weights, 1.0)
    alone = [fit_heads(rows[[i]], labels[[i]], weights[[i]], 1.0)[0] for i in range(3)]
    np.testing.assert_allclose(log_odds(together, rows), log_odds(np.array(alone), rows), atol=1e-6)


def test_separable_patients_and_constant_features_have_an_optimum_too():
    rows = np.stack([np.column_stack([np.linspace(-1, 1, 20), np.full(20, 0.0)])] * 2)
    labels = np.tile(np.arange(20) >= 10, (2, 1)).astype(np.int64)
    heads = fit_heads(rows, labels, np.ones((2, 20)), 1e4)
    oracle = LogisticRegression(C=1e4, tol=1e-12, max_iter=100_000).fit(rows[0], labels[0])
    np.testing.assert_allclose(heads[0, 0], oracle.coef_[0, 0], rtol=1e-4)
    assert heads[0, 1] == 0.0


def test_a_training_part_of_one_label_is_refused():
    rows, labels, weights = problems()
    weights[2, labels[2] == 1] = 0.0
    with pytest.raises(ValueError, match="both labels"):
        fit_heads(rows, labels, weights, 1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_features_that_are_no_numbers_are_told():
    rows, labels, weights = problems()
    rows[1, 3, 0] = np.nan
    with pytest.raises((NoOptimumError, np.linalg.LinAlgError)):
        fit_heads(rows, labels, weights, 1.0)
