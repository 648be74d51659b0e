import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, ttest_1samp

from coverage_study import (
    coverage_table,
    mean_over_cohorts,
    miss_rate,
    misses_by_cohort,
    side_missed,
    surprising,
    widened,
)


def planted(intervals: dict[str, list[tuple[float, float]]]) -> pd.DataFrame:
    """Score tables of cohorts 1, 2, ... from each model's intervals of balanced accuracy."""
    rows = [
        {
            "cohort": cohort,
            "model": model,
            "balanced_accuracy": (low + high) / 2,
            "low": low,
            "high": high,
        }
        for model, of_cohorts in intervals.items()
        for cohort, (low, high) in enumerate(of_cohorts, start=1)
    ]
    return pd.DataFrame(rows)


COVERS, ABOVE, BELOW, TOUCHES = (0.4, 0.6), (0.51, 0.7), (0.3, 0.49), (0.5, 0.7)
SCORES = planted(
    {
        "steady": [COVERS, COVERS, TOUCHES, COVERS],
        "lucky": [ABOVE, COVERS, ABOVE, BELOW],
    }
)


def test_an_interval_that_touches_the_truth_covers_it():
    sides = side_missed(SCORES, "balanced_accuracy", 0.5)
    assert sides.tolist() == [0, 0, 0, 0, 1, 0, 1, -1]


def test_misses_are_counted_by_model_and_side():
    table = coverage_table(SCORES, "balanced_accuracy", truth=0.5, level=0.95)
    assert table["model"].tolist() == ["steady", "lucky"]
    assert table[["above", "below", "cohorts"]].to_numpy().tolist() == [[0, 0, 4], [2, 1, 4]]
    at_least_3_of_4 = 4 * 0.05**3 * 0.95 + 0.05**4
    assert table["p"].tolist() == pytest.approx([1.0, at_least_3_of_4])


def test_the_spread_between_cohorts_stands_beside_what_the_intervals_promise():
    generator = np.random.default_rng(0)
    scores = 0.5 + 0.1 * generator.normal(size=400)
    half = 1.959964 * 0.05  # intervals of half the width that they should have
    table = coverage_table(
        planted({"narrow": [(score - half, score + half) for score in scores]}),
        "balanced_accuracy",
        truth=0.5,
        level=0.95,
    ).iloc[0]
    assert table["implied"] == pytest.approx(0.05, rel=1e-6)
    assert table["deviation"] == pytest.approx(0.1, rel=0.1)
    assert table["error"] == pytest.approx(scores.std(ddof=1) / 20)
    # A normal score lies further than 0.98 of its deviations away in 33 % of cases.
    assert (table["above"] + table["below"]) / 400 == pytest.approx(0.327, abs=0.06)


def rate_of(scores: pd.DataFrame, side: str = "either"):
    return miss_rate(scores, "balanced_accuracy", truth=0.5, level=0.95, side=side)


def test_cohorts_and_not_models_are_what_the_rate_is_uncertain_over():
    oracle = ttest_1samp([0.5, 0.0, 0.5, 0.5], 0).confidence_interval(0.95)
    rate = rate_of(SCORES)
    assert rate.estimate == pytest.approx(3 / 8)
    assert (rate.low, rate.high) == pytest.approx((max(0, oracle.low), oracle.high))
    copied = pd.concat([SCORES, SCORES.assign(model="copy of " + SCORES["model"])])
    assert rate_of(copied) == rate


def test_the_rate_of_either_side_is_that_of_both():
    assert rate_of(SCORES, "above").estimate == pytest.approx(2 / 8)
    assert rate_of(SCORES, "below").estimate == pytest.approx(1 / 8)


def test_one_cohort_says_nothing_about_others():
    rate = rate_of(SCORES[SCORES["cohort"] == 1])
    assert (rate.estimate, rate.low, rate.high) == (0.5, 0.0, 1.0)
    assert mean_over_cohorts(pd.Series([0.6]), 0.95).low == -np.inf


def test_a_widened_interval_reaches_further_from_the_score_on_both_sides():
    skewed = planted({"model": [ABOVE]}).assign(balanced_accuracy=0.55)
    wide = widened(skewed, "balanced_accuracy", 1.5).iloc[0]
    assert wide["balanced_accuracy"] == 0.55
    assert (wide["low"], wide["high"]) == pytest.approx((0.55 - 1.5 * 0.04, 0.55 + 1.5 * 0.15))


def test_each_cohort_has_its_own_count():
    counts = misses_by_cohort(SCORES, "balanced_accuracy", 0.5)
    assert counts["above"].tolist() == [1, 0, 1, 0]
    assert counts["below"].tolist() == [0, 0, 0, 1]
    assert counts["either"].tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(("cohorts", "rate"), [(20, 0.05), (20, 0.025), (100, 0.05), (1, 0.2)])
def test_a_surprise_is_what_chance_brings_in_fewer_than_one_of_twenty_cases(cohorts, rate):
    least = surprising(cohorts, rate)
    assert binom.sf(least - 1, cohorts, rate) < 0.05
    assert binom.sf(least - 2, cohorts, rate) >= 0.05
