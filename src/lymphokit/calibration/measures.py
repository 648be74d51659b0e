"""How far probabilities are from what they promise, of thousands of resamples at once.

As in `metrics`, a resample of patients is a row of counts: how often each patient was drawn.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from lymphokit.calibration.calibrators import Floats, Labels, log_odds
from lymphokit.evaluation import metrics

NEWTON_STEPS = 30
LONGEST_STEP = 2.0  # of the line, at a patient one deviation off the centre
TOLERANCE = 1e-6  # of the line; the step after would be its square
FLATTEST = 1e-9  # curvature at least, where all patients are certain
STEEPEST = 50.0  # a slope that only separated labels lead to
SIMULATED_COHORTS = 1000

# Of labels (n,), probabilities (n,) and draws (n_resamples, n): one value a resample.
Measure = Callable[[Labels, Floats, Floats], Floats]


def measures(n_bins: int) -> dict[str, Measure]:
    """The measures by name; `ece` in so many bins."""
    return {
        "brier": brier,
        "log_loss": _log_loss,
        "ece": lambda labels, said, draws: expected_calibration_error(
            labels, said, draws, n_bins=n_bins
        ),
        "slope": slope,
        "intercept": intercept,
    }


def brier(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """Mean squared difference of probability and label."""
    return np.asarray(draws @ (probabilities - labels) ** 2 / draws.sum(axis=1))


def expected_calibration_error(
    labels: Labels, probabilities: Floats, draws: Floats, *, n_bins: int
) -> Floats:
    """Mean gap between what is said and what is, over bins of equally many patients.

    Never 0 on few patients: `ece_of_perfect` says what to compare it with.
    """
    gaps = np.abs((draws * (probabilities - labels)) @ in_bins(probabilities, n_bins))
    return np.asarray(gaps.sum(axis=1) / draws.sum(axis=1))


def ece_of_perfect(probabilities: Floats, *, n_bins: int, seed: int) -> float:
    """The mean expected calibration error of labels drawn from these very probabilities (n,).

    By chance alone the tumoral share of a bin of 20 patients is off by some 0.1, and an absolute
    gap cannot average out, so a perfect model does not score 0.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.random((SIMULATED_COHORTS, len(probabilities))) < probabilities
    gaps = np.abs((probabilities - drawn) @ in_bins(probabilities, n_bins)).sum(axis=1)
    return float(gaps.mean() / len(probabilities))


def slope(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """Slope of the logistic regression of labels on log odds: below 1 too sure, above too timid.

    Log odds are kept within 1 : n + 1. A slope is at most 50, which separated labels come to; NaN
    where all probabilities are the same.
    Source: Cox 1958; Van Calster et al. 2019, Calibration: the Achilles heel of predictive
    analytics.
    """
    odds = log_odds(probabilities, 1 / (len(labels) + 2))
    spread = odds.std()
    if spread == 0:
        return np.full(len(draws), np.nan)
    rows = np.column_stack([np.ones(len(odds)), (odds - odds.mean()) / spread])
    line = _logistic(rows, labels, np.zeros(len(odds)), draws)
    return np.asarray(np.clip(line[:, 1] / spread, -STEEPEST, STEEPEST))


def intercept(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """What to add to all log odds to match the tumoral share: above 0, it is said too low.

    The slope is held at 1 ("calibration in the large"); log odds are kept within 1 : n + 1.
    """
    odds = log_odds(probabilities, 1 / (len(labels) + 2))
    return np.asarray(_logistic(np.ones((len(odds), 1)), labels, odds, draws)[:, 0])


def in_bins(probabilities: Floats, n_bins: int) -> Floats:
    """Who is in which bin, as 0 and 1: (n, bins). Equal probabilities share a bin."""
    edges = np.unique(np.quantile(probabilities, np.arange(1, n_bins) / n_bins))
    bins = np.searchsorted(edges, probabilities, side="right")
    return np.asarray(bins[:, None] == np.unique(bins), dtype=np.float64)


def _log_loss(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """As of `metrics`, which reads no decisions for it."""
    return metrics.resampled("log_loss", labels, labels, probabilities, draws)


def _logistic(rows: Floats, labels: Labels, offset: Floats, draws: Floats) -> Floats:
    """Coefficients of the logistic regression in each resample: (n_resamples, d).

    rows (n, d), standardised, d small; offset (n,) is added to the line. Newton's method for all
    resamples side by side, from the coefficients of all patients; who has arrived rests. Steps
    are kept short, so that separated labels lead far out and not nowhere.
    """
    start = np.zeros((1, rows.shape[1]))
    if len(draws) > 1:
        start = _logistic(rows, labels, offset, np.ones((1, len(labels))))
    found = np.repeat(start, len(draws), axis=0)
    products = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    going = np.arange(len(draws))
    for _ in range(NEWTON_STEPS):
        share = expit(offset + found[going] @ rows.T)
        gradient = (draws[going] * (share - labels)) @ rows
        curvature = (draws[going] * share * (1 - share)) @ products
        curvature = curvature.reshape(-1, rows.shape[1], rows.shape[1])
        curvature += FLATTEST * np.eye(rows.shape[1])
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        found[going] -= step
        going = going[np.abs(step).max(axis=1) > TOLERANCE]
        if not len(going):
            break
    return found
