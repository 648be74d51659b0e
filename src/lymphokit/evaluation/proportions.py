"""Shares of a few patients, values of many resamples, and how far the truth may be from them."""

import numpy as np
from scipy.special import ndtri

from lymphokit.evaluation.uncertainty import Interval


def wilson(successes: float, trials: float, level: float) -> Interval:
    """A share with its Wilson interval; NaN where nobody was tried.

    Counts may be fractions, as where repeats of folds are averaged for every patient. Unlike the
    bootstrap's, the interval of 20 of 20 is not a point.
    Source: Wilson 1927; scipy's, without continuity correction, for whole counts.
    """
    if not trials:
        return Interval(float("nan"), float("nan"), float("nan"))
    z, share = float(ndtri((1 + level) / 2)), successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    reach = np.sqrt(max(share * (1 - share), 0.0) / trials + z**2 / (4 * trials**2))
    half = z * float(reach) / (1 + z**2 / trials)
    return Interval(share, max(centre - half, 0.0), min(centre + half, 1.0))
