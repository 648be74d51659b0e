"""Scores of one set of patients, or of thousands of resamples at once.

A resample is a row of counts: how often each patient was drawn. Each score of all resamples is
then a few matrix products, so thousands of resamples cost milliseconds. The values equal
scikit-learn's (the tests compare them).
An undefined score is NaN: balanced accuracy and AUC without both classes; F1, recall and precision
without a tumoral patient. Precision is 0 where no patient is called tumoral.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Metric = Literal["balanced_accuracy", "f1", "recall", "precision", "auc", "log_loss"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


def score(metric: Metric, labels: Labels, decisions: Labels, probabilities: Floats) -> float:
    """One score of one set of patients.

    labels and decisions (n,) in {0, 1}, probabilities (n,) in [0, 1]. `auc` and `log_loss` use
    the probabilities, the others the decisions.
    """
    everyone_once = np.ones((1, len(labels)))
    return float(resampled(metric, labels, decisions, probabilities, everyone_once)[0])


def resampled(
    metric: Metric, labels: Labels, decisions: Labels, probabilities: Floats, draws: Floats
) -> Floats:
    """One score of each of many resamples of the patients: (n_resamples,).

    draws (n_resamples, n): how often each patient was drawn, or any non-negative weight.
    """
    if metric == "auc":
        return _auc(labels, probabilities, draws)
    if metric == "log_loss":
        return log_loss(labels, probabilities, draws)
    tumoral = labels.astype(np.float64)
    called = decisions.astype(np.float64)
    true_positives = draws @ (tumoral * called)  # (n_resamples,), as all counts below
    n_tumoral, n_called = draws @ tumoral, draws @ called
    match metric:
        case "recall":
            return _ratio(true_positives, n_tumoral)
        case "precision":
            precision = np.where(n_called > 0, _ratio(true_positives, n_called), 0.0)
            return np.where(n_tumoral > 0, precision, np.nan)
        case "f1":
            f1 = _ratio(2 * true_positives, n_tumoral + n_called)
            return np.where(n_tumoral > 0, f1, np.nan)
        case "balanced_accuracy":
            true_negatives = draws @ ((1 - tumoral) * (1 - called))
            specificity = _ratio(true_negatives, draws @ (1 - tumoral))
            return (_ratio(true_positives, n_tumoral) + specificity) / 2


def log_loss(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """Mean cross-entropy of each resample: (resamples,).

    labels (n,) in {0, 1}; probabilities (n,), clipped as scikit-learn does; draws (resamples, n):
    how often each patient is in.
    """
    of_label = np.where(labels == 1, probabilities, 1 - probabilities)
    losses = -np.log(np.clip(of_label, np.finfo(np.float64).eps, 1.0))
    return _ratio(draws @ losses, draws.sum(axis=1))


def _auc(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """The share of (tumoral, reactive) pairs in the right order, ties counting half."""
    tumoral, reactive = labels == 1, labels == 0
    ahead = probabilities[tumoral][:, None] - probabilities[reactive][None, :]
    won = (np.sign(ahead) + 1) / 2  # (n_tumoral, n_reactive): 1, 0.5 or 0
    draws_tumoral, draws_reactive = draws[:, tumoral], draws[:, reactive]
    pairs_won = ((draws_tumoral @ won) * draws_reactive).sum(axis=1)
    return _ratio(pairs_won, draws_tumoral.sum(axis=1) * draws_reactive.sum(axis=1))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Element by element; NaN where the denominator is 0."""
    ratio = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
