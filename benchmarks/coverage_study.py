"""Coverage of intervals, counted over many cohorts with a known true score.

The cohort is the unit: the models of one cohort are scored on the same patients, so their
intervals miss together and never count as independent.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import binom, norm, t

from lymphokit.evaluation.intervals import Interval
from lymphokit.evaluation.metrics import Metric
from lymphokit.evaluation.uncertainty import COLUMNS_OF

Side = Literal["above", "below", "either"]
RARE = 0.05  # a number of misses is surprising if chance gives it less often than this


def side_missed(scores: pd.DataFrame, metric: Metric, truth: float) -> pd.Series:
    """1 where the interval lies above the truth, -1 below it, 0 where it covers it.

    scores: rows of score tables. An interval that only touches the truth covers it.
    """
    _, low, high = COLUMNS_OF[metric]
    return (scores[low] > truth).astype(int) - (scores[high] < truth).astype(int)


def coverage_table(
    scores: pd.DataFrame, metric: Metric, *, truth: float, level: float
) -> pd.DataFrame:
    """The coverage of each model's intervals over all cohorts, in the order of the scores.

    scores: score tables one below the other, with a column `cohort`. Columns `model`; `mean` score
    and its standard error `error` over cohorts; `deviation` of the scores between cohorts and
    `implied`, the deviation that the mean width of the intervals implies for normal scores;
    `above`, `below`: cohorts with an interval that misses the truth; `p`: the probability of at
    least so many misses if an interval misses in 1 - level of independent cohorts; `cohorts`.
    """
    column, low, high = COLUMNS_OF[metric]
    columns = {"score": scores[column], "width": scores[high] - scores[low]}
    sides = scores[["model"]].assign(**columns, side=side_missed(scores, metric, truth))
    table = sides.groupby("model", sort=False).agg(
        mean=("score", "mean"),
        error=("score", "sem"),
        deviation=("score", "std"),
        implied=("width", "mean"),
        above=("side", lambda side: int((side > 0).sum())),
        below=("side", lambda side: int((side < 0).sum())),
        cohorts=("side", "size"),
    )
    table["implied"] /= 2 * norm.ppf((1 + level) / 2)
    table["p"] = binom.sf(table["above"] + table["below"] - 1, table["cohorts"], 1 - level)
    return table.reset_index()


def misses_by_cohort(scores: pd.DataFrame, metric: Metric, truth: float) -> pd.DataFrame:
    """How many intervals of each cohort lie `above`, `below` and on `either` side of the truth."""
    side = side_missed(scores, metric, truth)
    sides = {"above": side > 0, "below": side < 0, "either": side != 0}
    return pd.DataFrame(
        {name: missed.groupby(scores["cohort"]).sum() for name, missed in sides.items()}
    )


def miss_rate(
    scores: pd.DataFrame, metric: Metric, *, truth: float, level: float, side: Side
) -> Interval:
    """The share of all intervals that miss the truth, and its interval over cohorts.

    Every cohort gives one share of missing intervals. The interval is cut off at 0 and 1.
    """
    misses = misses_by_cohort(scores, metric, truth)[side]
    rate = mean_over_cohorts(misses / scores.groupby("cohort").size(), level)
    return Interval(rate.estimate, max(0.0, rate.low), min(1.0, rate.high))


def mean_over_cohorts(values: pd.Series, level: float) -> Interval:
    """The mean of one value per cohort with Student's interval, unbounded for one cohort."""
    n = len(values)
    error = float(values.std()) / np.sqrt(n) if n > 1 else np.inf
    reach = error * float(t.ppf((1 + level) / 2, df=max(n - 1, 1)))
    return Interval(
        float(values.mean()), float(values.mean()) - reach, float(values.mean()) + reach
    )


def widened(scores: pd.DataFrame, metric: Metric, factor: float) -> pd.DataFrame:
    """The same scores, their intervals reaching `factor` times as far to either side."""
    column, low, high = COLUMNS_OF[metric]
    estimate = scores[column]
    reach = {bound: estimate + factor * (scores[bound] - estimate) for bound in (low, high)}
    return scores.assign(**reach)


def surprising(cohorts: int, rate: float) -> int:
    """The least number of misses in independent cohorts with a probability below `RARE`.

    rate: the nominal share of misses. cohorts + 1 where no number is surprising.
    """
    return int(binom.isf(RARE, cohorts, rate)) + 1


def coverage_sentences(
    scores: pd.DataFrame, metric: Metric, name: str, *, truth: float, level: float, factor: float
) -> Iterator[str]:
    """The mean score, how often intervals miss on each side, and how often narrower ones do.

    name: the name of the metric for printing; factor: undoes the widening of the intervals.
    """
    mean = mean_over_cohorts(scores.groupby("cohort")[COLUMNS_OF[metric][0]].mean(), level)
    where = "ABOVE" if mean.low > truth else "below" if mean.high < truth else "consistent with"
    yield (
        f"{name}: the mean of all models is {mean.estimate:.3f} [{mean.low:.3f}, {mean.high:.3f}] "
        f"over cohorts: {where} {truth:g}"
    )
    counts, nominal = misses_by_cohort(scores, metric, truth), 1 - level
    sides: tuple[tuple[Side, float], ...] = (
        ("above", nominal / 2), ("below", nominal / 2), ("either", nominal),
    )  # fmt: skip
    for side, share in sides:
        rate = miss_rate(scores, metric, truth=truth, level=level, side=side)
        yield (
            f"  {side:6} {counts[side].sum():3} of {len(scores)} intervals, {rate.estimate:.1%} "
            f"[{rate.low:.0%}, {rate.high:.0%}], nominal {share:.1%}: {verdict(rate, share)}; "
            f"{counts[side].min()} to {counts[side].max()} in a cohort"
        )
    narrow = widened(scores, metric, factor)
    rate = miss_rate(narrow, metric, truth=truth, level=level, side="either")
    yield (
        f"  {factor:.2f} times as wide, by resampled patients alone: {rate.estimate:.1%} "
        f"[{rate.low:.0%}, {rate.high:.0%}]: {verdict(rate, nominal)}"
    )


def verdict(rate: Interval, nominal: float) -> str:
    """Whether intervals miss more often than the nominal rate, given the number of cohorts."""
    if rate.estimate <= nominal:
        return "no more than nominal"
    return "MORE THAN NOMINAL" if rate.low > nominal else "more, but not significantly"


def naive_sentence(scores: pd.DataFrame, *, truth: float, level: float) -> str:
    """The mean naive balanced accuracy, and the model with the most optimistic one."""
    by_model = scores.groupby("model")["naive"].mean()
    mean = mean_over_cohorts(scores.groupby("cohort")["naive"].mean(), level)
    return (
        f"Naive balanced accuracy: the mean of all models is {mean.estimate:.2f} "
        f"[{mean.low:.2f}, {mean.high:.2f}] over cohorts, {(scores['naive'] > truth).mean():.0%} "
        f"of them lie above {truth:g}; highest: {by_model.idxmax()}, {by_model.max():.2f}"
    )
