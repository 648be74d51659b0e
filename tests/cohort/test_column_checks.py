"""Columns whose values are right one by one and wrong together."""

import math
from collections.abc import Callable

import pandas as pd
import pytest

from lymphokit.cohort.column_checks import (
    count_faults,
    date_faults,
    describe_slash_dates,
    slash_dates,
)

COUNTS = [2.28, 4.1, 5.0, 6.2, 7.0, 7.9, 9.5, 14.0, 31.0, 60.0, 120.0, 295.0]
DAYS = [1, 3, 7, 9, 12, 13, 17, 20, 22, 25, 28, 30]


@pytest.mark.parametrize("log", [math.log, math.log10, math.log2, math.log1p])
def test_a_column_of_logarithms_is_found(log: Callable[[float], float]) -> None:
    (fault,) = count_faults(pd.Series([log(count) for count in COUNTS]))
    assert "logarithm" in fault.finding
    assert "LYMPH_COUNT" in fault.patient
    assert "cohort.allow" in fault.remedy


def test_logarithms_of_a_few_patients_are_found_as_none_has_lymphocytosis() -> None:
    assert count_faults(pd.Series([math.log(count) for count in (5.0, 6.0, 25.0)])) != []
    assert count_faults(pd.Series([2.3, 3.9, 4.1])) == []


def test_a_column_of_percentages_is_found() -> None:
    (fault,) = count_faults(pd.Series([30.0 + 5 * n for n in range(12)]))
    assert "percentage" in fault.finding


@pytest.mark.parametrize("counts", [COUNTS, COUNTS[:6], [math.nan] * 12])
def test_counts_of_a_cohort_and_of_a_few_patients_are_no_fault(counts: list[float]) -> None:
    assert count_faults(pd.Series(counts)) == []


@pytest.mark.parametrize("form", ["{m}/{d}/1950", "{d:02}-{m:02}-1950", "1950-{m:02}-{d:02}"])
def test_exchanged_days_and_months_are_found_in_every_format(form: str) -> None:
    sound = {f"P{n}": form.format(d=day, m=n % 12 + 1) for n, day in enumerate(DAYS)}
    assert date_faults(sound) == []
    swapped = {f"P{n}": form.format(d=n % 12 + 1, m=day % 12 + 1) for n, day in enumerate(DAYS)}
    (fault,) = date_faults(swapped)
    assert "exchanged" in fault.finding
    assert "P0" in fault.finding
    years = {f"P{n}": form.format(d=1, m=1) for n in range(20)}
    assert date_faults(years) == []


def test_dates_with_slashes_are_counted_by_the_ways_to_read_them() -> None:
    dates = ["4/13/1950", "13/4/1950", "1/2/1950", "2/2/1950", "13-04-1950", "", "x", "40/40/1950"]
    assert slash_dates(dates) == {"month first": 1, "day first": 1, "both": 1}


def test_one_sentence_gives_the_reading_and_the_number_of_dates() -> None:
    sentence = describe_slash_dates(["1/2/1950", "3/4/1950", "4/13/1950"])
    assert sentence is not None
    assert "2 read both ways" in sentence
    assert "month first" in sentence
    assert "1 others" in sentence
    assert describe_slash_dates(["4/13/1950", "01-02-1950"]) is None
