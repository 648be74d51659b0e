"""Intervals: of resampled values by percentiles, of shares of patients by Wilson's method."""

from dataclasses import dataclass

import numpy as np
from scipy.stats._result_classes import BinomTestResult

from lymphokit.evaluation.metrics import Floats


@dataclass(frozen=True)
class Interval:
    """An estimate (a score, a share or a difference of two) with its interval."""

    estimate: float
    low: float
    high: float

    def widened(self, factor: float, bounds: tuple[float, float]) -> "Interval":
        """The interval that reaches `factor` times as far to either side, cut off at the bounds."""
        ends = (self.estimate + factor * (end - self.estimate) for end in (self.low, self.high))
        low, high = (float(np.clip(end, *bounds)) for end in ends)
        return Interval(self.estimate, low, high)

    def columns(self, name: str) -> dict[str, float]:
        """The columns `name`, `name_low` and `name_high` of a table."""
        return {name: self.estimate, f"{name}_low": self.low, f"{name}_high": self.high}


def percentile_interval(values: Floats, level: float) -> tuple[float, float]:
    """Ends of the central share `level` of the finite values; NaN where there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson_interval(successes: float, trials: float, level: float) -> Interval:
    """The share successes / trials with its Wilson interval; NaN without trials.

    Unlike a bootstrap interval, that of 20 of 20 has a width. Counts may be fractions: means over
    repeats of the folds.
    Source: Wilson 1927, without continuity correction.
    """
    if not trials:
        return Interval(float("nan"), float("nan"), float("nan"))
    share = successes / trials
    # Not through `binomtest`: it refuses fractions and computes a p-value; its result does neither.
    result = BinomTestResult(successes, trials, "two-sided", share, float("nan"))  # type: ignore[arg-type]
    found = result.proportion_ci(level, method="wilson")
    return Interval(share, float(found.low), float(found.high))
