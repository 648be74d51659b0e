"""Balanced logistic regression against the optimum of its objective, written out."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from lymphokit.solvers.balanced_logistic import BalancedLogistic


def data(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 4 == 0).astype(np.int64)
    return rng.normal(size=(n, 3)) + labels[:, None], labels


def test_the_optimum_is_that_of_the_weighted_likelihood_and_the_ridge() -> None:
    features, labels = data()
    weights = len(labels) / (2 * np.bincount(labels))[labels]

    def objective(parameters: np.ndarray) -> float:
        odds = features @ parameters[:3] + parameters[3]
        losses = np.logaddexp(0, np.where(labels, -odds, odds))
        return float(0.5 * parameters[:3] @ parameters[:3] + 0.7 * (weights * losses).sum())

    best = minimize(objective, np.zeros(4), tol=1e-12).x
    model = BalancedLogistic(0.7).fit(features, labels)
    np.testing.assert_allclose(model.weights_, best[:3], atol=1e-4)
    assert model.intercept_ == pytest.approx(best[3], abs=1e-4)


def test_probabilities_are_those_at_the_prevalence() -> None:
    features, labels = data()
    model = BalancedLogistic(1.0).fit(features, labels)
    odds = model.balanced_log_odds(features)
    np.testing.assert_allclose(model.predict_proba(features), expit(odds + np.log(0.25 / 0.75)))
    assert model.predict_proba(features).mean() == pytest.approx(0.25, abs=0.08)
