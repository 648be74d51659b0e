"""Measures of calibration, for thousands of resamples at once.

As in `metrics`, a resample of patients is a row of counts: how often each patient was drawn.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import expit

from lymphokit.evaluation.log_odds import clipped_log_odds, least_probability
from lymphokit.evaluation.metrics import Floats, Labels, log_loss
from lymphokit.solvers.logistic import fit_stack

LARGEST = 50.0  # stands for infinity: the slope of separated labels, the intercept of one label
SIMULATED_COHORTS = 1000

# From labels (n,), probabilities (n,) and draws (n_resamples, n): one value per resample.
Measure = Callable[[Labels, Floats, Floats], Floats]


def measures(n_bins: int) -> dict[str, Measure]:
    """The measures by name; `ece` with so many bins."""
    return {
        "brier": brier,
        "log_loss": log_loss,
        "ece": partial(expected_calibration_error, n_bins=n_bins),
        "slope": slope,
        "intercept": intercept,
    }


def brier(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """Mean squared difference of probability and label in each resample: (resamples,).

    labels (n,) in {0, 1}; probabilities (n,); draws (resamples, n): how often each patient is in.
    """
    return np.asarray(draws @ (probabilities - labels) ** 2 / draws.sum(axis=1))


def expected_calibration_error(
    labels: Labels, probabilities: Floats, draws: Floats, *, n_bins: int
) -> Floats:
    """Mean gap between predicted probability and tumoral share, over bins of equal size.

    Arguments and result are those of `brier`.
    Never 0 on few patients: compare it with `ece_of_perfect`.
    """
    gaps = np.abs((draws * (probabilities - labels)) @ bin_membership(probabilities, n_bins))
    return np.asarray(gaps.sum(axis=1) / draws.sum(axis=1))


def ece_of_perfect(probabilities: Floats, *, n_bins: int, seed: int) -> float:
    """The mean expected calibration error of labels drawn from these probabilities (n,).

    By chance alone the tumoral share of a bin of 20 patients deviates by about 0.1, and absolute
    gaps do not average out, so a perfectly calibrated model does not score 0.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.random((SIMULATED_COHORTS, len(probabilities))) < probabilities
    gaps = np.abs((probabilities - drawn) @ bin_membership(probabilities, n_bins)).sum(axis=1)
    return float(gaps.mean() / len(probabilities))


def slope(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """Slope of the logistic regression of labels on clipped log odds.

    Arguments and result are those of `brier`.
    Below 1 the model is overconfident, above 1 underconfident. NaN where all probabilities are
    equal or a resample has one label only.
    Source: Cox 1958; Van Calster et al. 2019, Calibration: the Achilles heel of predictive
    analytics.
    """
    odds = _log_odds(probabilities)
    slopes = LARGEST * _separation(labels, odds, draws)
    overlapping = slopes == 0
    if overlapping.any():
        weights, spread = draws[overlapping], odds.std()
        rows = np.broadcast_to(((odds - odds.mean()) / spread)[:, None], (*weights.shape, 1))
        fitted = fit_stack(rows, np.broadcast_to(labels, weights.shape), weights, ridge=0.0)
        slopes[overlapping] = np.clip(fitted[:, 0] / spread, -LARGEST, LARGEST)
    return slopes


def intercept(labels: Labels, probabilities: Floats, draws: Floats) -> Floats:
    """Calibration in the large: the shift of all log odds that matches the tumoral share.

    Arguments and result are those of `brier`.
    Above 0 the probabilities are too low. The slope is fixed at 1; log odds are clipped.
    """
    odds = _log_odds(probabilities)

    def excess(shift: Floats, resample: Labels) -> Floats:
        predicted = expit(odds + shift[:, None])  # (n_unsolved, n)
        return np.asarray((draws[resample] * (predicted - labels)).sum(axis=1))

    ends = np.full(len(draws), LARGEST)
    shifts = find_root(excess, (-ends, ends), args=(np.arange(len(draws)),)).x
    tumoral_only, reactive_only = draws @ (1 - labels) == 0, draws @ labels == 0
    return np.select([tumoral_only, reactive_only], [ends, -ends], shifts)


def bin_membership(probabilities: Floats, n_bins: int) -> Floats:
    """Indicator matrix (n, bins) of bins of equal size. Equal probabilities share a bin."""
    edges = np.unique(np.quantile(probabilities, np.arange(1, n_bins) / n_bins))
    bins = np.searchsorted(edges, probabilities, side="right")
    return np.asarray(bins[:, None] == np.unique(bins), dtype=np.float64)


def _log_odds(probabilities: Floats) -> Floats:
    return clipped_log_odds(probabilities, least_probability(len(probabilities)))


def _separation(labels: Labels, odds: Floats, draws: Floats) -> Floats:
    """1 or -1 where a threshold separates the labels of a resample, else 0: (n_resamples,).

    The likelihood then grows with the slope without end. NaN without both labels.
    """
    present = [(draws > 0) & (labels == label) for label in (0, 1)]
    low_0, low_1 = (np.where(rows, odds, np.inf).min(axis=1) for rows in present)
    high_0, high_1 = (np.where(rows, odds, -np.inf).max(axis=1) for rows in present)
    rising, falling = low_1 >= high_0, low_0 >= high_1
    return np.where(rising & falling, np.nan, rising.astype(np.float64) - falling)
