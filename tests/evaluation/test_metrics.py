from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from lymphokit.evaluation import metrics


def drawn(seed: int, n: int = 60, n_resamples: int = 40):
    generator = np.random.default_rng(seed)
    labels = (np.arange(n) < 0.7 * n).astype(np.int64)
    probabilities = np.round(np.clip(generator.normal(0.4 + 0.2 * labels, 0.3), 0, 1), 1)
    decisions = (probabilities >= 0.5).astype(np.int64)
    picks = generator.integers(0, n, size=(n_resamples, n))
    draws = np.array([np.bincount(pick, minlength=n) for pick in picks]).astype(float)
    return labels, decisions, probabilities, picks, draws


OF_DECISIONS = {
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1": sk.f1_score,
    "recall": sk.recall_score,
    "precision": sk.precision_score,
}
OF_PROBABILITIES = {
    "auc": sk.roc_auc_score,
    "log_loss": partial(sk.log_loss, labels=[0, 1]),
}


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_every_resample_scores_as_sklearn_scores_the_patients_written_out(metric):
    labels, decisions, probabilities, picks, draws = drawn(seed=0)
    values = decisions if metric in OF_DECISIONS else probabilities
    by_sklearn = (OF_DECISIONS | OF_PROBABILITIES)[metric]
    expected = [by_sklearn(labels[patients], values[patients]) for patients in picks]
    found = metrics.resampled(metric, labels, decisions, probabilities, draws)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), metric=st.sampled_from(metrics.METRICS))
def test_the_score_of_one_set_of_patients_is_sklearns(seed, metric):
    labels, decisions, probabilities, _, _ = drawn(seed, n=12, n_resamples=1)
    values = decisions if metric in OF_DECISIONS else probabilities
    expected = (OF_DECISIONS | OF_PROBABILITIES)[metric](labels, values)
    found = metrics.score(metric, labels, decisions, probabilities)
    assert found == pytest.approx(expected, rel=1e-12)


def test_scores_by_hand():
    labels, decisions = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 1, 0])
    probabilities = np.array([0.9, 0.6, 0.3, 0.6, 0.1])
    by_hand = {
        "recall": 2 / 3,
        "precision": 2 / 3,
        "f1": 2 / 3,
        "balanced_accuracy": (2 / 3 + 1 / 2) / 2,
        "auc": (2 + 1.5 + 1) / 6,  # 0.9 beats both, 0.6 ties one, 0.3 beats one
    }
    for metric, expected in by_hand.items():
        assert metrics.score(metric, labels, decisions, probabilities) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kept", "undefined"),
    [
        (1, {"balanced_accuracy", "auc"}),
        (0, {"balanced_accuracy", "auc", "f1", "recall", "precision"}),
    ],
)
def test_a_resample_of_one_class_is_undefined_rather_than_guessed(kept, undefined):
    labels, decisions, probabilities, _, _ = drawn(seed=1)
    only = (labels == kept)[None, :].astype(float)
    selected = labels == kept
    for metric in metrics.METRICS:
        many = metrics.resampled(metric, labels, decisions, probabilities, only)[0]
        one = metrics.score(metric, labels[selected], decisions[selected], probabilities[selected])
        assert np.isnan(many) == np.isnan(one) == (metric in undefined), metric


def test_precision_is_zero_where_nobody_is_called_tumoral():
    labels, nobody = np.array([1, 0]), np.array([0, 0])
    probabilities = np.array([0.2, 0.1])
    assert metrics.score("precision", labels, nobody, probabilities) == 0
    assert metrics.resampled("precision", labels, nobody, probabilities, np.ones((1, 2)))[0] == 0


def test_a_certain_error_has_a_finite_log_loss():
    labels, probabilities = np.array([1, 0]), np.array([0.0, 0.0])
    loss = metrics.resampled("log_loss", labels, labels, probabilities, np.ones((1, 2)))[0]
    assert loss == pytest.approx(sk.log_loss(labels, probabilities, labels=[0, 1]))
