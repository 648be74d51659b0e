"""Logistic regressions against scikit-learn, scipy's bounded minimiser, and values by hand."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from lymphokit.solvers.logistic import (
    NoOptimumError,
    fit_logistic,
    fit_rising_line,
    fit_stack,
    log_odds,
)


def problems(n_problems=4, n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (n_problems, n))
    rows = rng.normal(size=(n_problems, n, d)) + 0.8 * labels[:, :, None] * (np.arange(d) < 2)
    return rows, labels, rng.uniform(0.2, 2.0, (n_problems, n))


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("d", [5, 200])  # more rows than features, and fewer
def test_every_problem_has_scikit_learns_coefficients_weights_of_rows_included(C, d):
    rows, labels, weights = problems(d=d)
    stack = fit_stack(rows, labels, C * weights, ridge=1.0)
    for features, label, weight, found in zip(rows, labels, weights, stack, strict=True):
        oracle = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12)
        oracle.fit(features, label, weight)
        np.testing.assert_allclose(found[:-1], oracle.coef_[0], atol=1e-8)
        np.testing.assert_allclose(found[-1], oracle.intercept_[0], atol=1e-8)


@pytest.mark.parametrize("d", [5, 200])
def test_without_an_intercept_it_is_scikit_learns_too(d):
    rows, labels, weights = problems(n_problems=1, d=d)
    found = fit_logistic(rows[0], labels[0], weights[0], ridge=2.0, intercept=False)
    oracle = LogisticRegression(C=0.5, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    oracle.fit(rows[0], labels[0], weights[0])
    np.testing.assert_allclose(found.weights, oracle.coef_[0], atol=1e-8)
    assert found.intercept == 0.0


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_bounded_weights_are_those_of_a_general_minimiser(seed, ridge):
    rows, labels, weights = (part[0] for part in problems(n_problems=1, seed=seed))
    rows[:, 3:] -= 0.5 * labels[:, None]  # these weights would be negative
    lower = np.array([0.0, 0.0, 0.2, 0.0, -np.inf])
    found = fit_logistic(rows, labels, weights, ridge=ridge, lower=lower)

    def loss(point):
        margins = (2 * labels - 1) * (rows @ point[:-1] + point[-1])
        return weights @ np.logaddexp(0, -margins) + ridge / 2 * point[:-1] @ point[:-1]

    bounds = [(bound, None) for bound in lower] + [(None, None)]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxfun": 100_000}
    oracle = minimize(loss, np.zeros(6), method="L-BFGS-B", bounds=bounds, options=options)
    assert (found.weights >= lower).all()
    assert (found.weights == lower).any()
    assert loss(np.append(found.weights, found.intercept)) <= oracle.fun * (1 + 1e-12)
    np.testing.assert_allclose(found.weights, oracle.x[:-1], atol=1e-3)


def test_a_soft_target_is_both_labels_in_proportion():
    rows, labels, weights = (part[0] for part in problems(n_problems=1))
    targets = np.where(labels == 1, 0.9, 0.2)
    soft = fit_logistic(rows, targets, weights, ridge=0.1)
    both = fit_logistic(
        np.concatenate([rows, rows]),
        np.repeat([1, 0], len(rows)),
        np.concatenate([weights * targets, weights * (1 - targets)]),
        ridge=0.1,
    )
    np.testing.assert_allclose(soft.weights, both.weights, atol=1e-12)
    assert soft.intercept == pytest.approx(both.intercept, abs=1e-12)


@pytest.mark.parametrize("d", [5, 200])
def test_a_row_without_weight_changes_nothing(d):
    rows, labels, weights = problems(d=d)
    weights[:, 40:] = 0.0
    all_rows = fit_stack(rows, labels, weights, ridge=1.0)
    fewer = fit_stack(rows[:, :40], labels[:, :40], weights[:, :40], ridge=1.0)
    np.testing.assert_allclose(all_rows, fewer, atol=1e-10)


def test_a_problem_does_not_depend_on_the_others_of_its_stack():
    rows, labels, weights = problems(n_problems=3)
    rows[0] *= 1e3  # needs more steps than the others
    together = fit_stack(rows, labels, weights, ridge=1.0)
    alone = [fit_stack(rows[[i]], labels[[i]], weights[[i]], ridge=1.0)[0] for i in range(3)]
    np.testing.assert_allclose(log_odds(together, rows), log_odds(np.array(alone), rows), atol=1e-9)


def test_separable_rows_and_constant_features_have_an_optimum_too():
    rows = np.stack([np.column_stack([np.linspace(-1, 1, 20), np.full(20, 0.0)])] * 2)
    labels = np.tile(np.arange(20) >= 10, (2, 1)).astype(np.int64)
    found = fit_stack(rows, labels, np.full((2, 20), 1e4), ridge=1.0)
    oracle = LogisticRegression(C=1e4, tol=1e-12, max_iter=100_000).fit(rows[0], labels[0])
    np.testing.assert_allclose(found[0, 0], oracle.coef_[0, 0], rtol=1e-4)
    assert found[0, 1] == 0.0


def test_separable_rows_without_a_ridge_end_where_the_loss_is_rounding():
    found = fit_logistic(np.array([[0.0], [1.0]]), np.array([0, 1]), np.ones(2), ridge=0.0)
    assert 50 < found.weights[0] < 100
    assert found.intercept == pytest.approx(-found.weights[0] / 2, rel=1e-3)


def test_a_problem_of_one_label_is_refused():
    rows, labels, weights = problems()
    weights[2, labels[2] == 1] = 0.0
    with pytest.raises(ValueError, match="both labels"):
        fit_stack(rows, labels, weights, ridge=1.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(value):
    rows, labels, weights = problems()
    rows[1, 3, 0] = value
    with pytest.raises(NoOptimumError, match="finite"):
        fit_stack(rows, labels, weights, ridge=1.0)


def test_the_rising_line_is_platts():
    rng = np.random.default_rng(0)
    labels = (np.arange(60) < 40).astype(np.int64)
    scores = np.clip(rng.normal(0.2 + 0.1 * labels, 0.1), 0.0, 1.0)
    targets = np.where(labels == 1, 41 / 42, 1 / 22)
    by_hand = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(
        np.tile(scores, 2)[:, None],
        np.repeat([1, 0], 60),
        sample_weight=np.concatenate([targets, 1.0 - targets]),
    )
    slope, intercept = fit_rising_line(scores, labels)
    assert slope == pytest.approx(by_hand.coef_[0, 0], rel=1e-3)
    assert intercept == pytest.approx(by_hand.intercept_[0], rel=1e-3)


def test_the_slope_of_a_rising_line_is_never_negative():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    slope, intercept = fit_rising_line(0.5 - 0.3 * labels, labels)
    assert slope == 0.0
    assert intercept == pytest.approx(logit((6 * 7 / 8 + 3 * 1 / 5) / 9), abs=1e-9)


def test_scores_that_separate_the_labels_leave_the_slope_finite():
    slope, intercept = fit_rising_line(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(expit(slope * np.array([0.1, 0.9]) + intercept), [0.25, 0.75])


@pytest.mark.parametrize(("score", "intercept"), [(0.0, True), (0.3, True), (0.0, False)])
def test_equal_scores_leave_every_row_the_share_of_label_1_or_no_opinion(score, intercept):
    line = fit_rising_line(np.full(9, score), np.array([0] * 3 + [1] * 6), intercept=intercept)
    share = (6 * 7 / 8 + 3 * 1 / 5) / 9 if intercept else 0.5
    assert expit(line[0] * score + line[1]) == pytest.approx(share)
