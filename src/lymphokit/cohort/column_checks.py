"""Checks of whole columns of the clinical table, where each value alone could be right.

A column of logarithms, a column of percentages, and dates whose day and month a spreadsheet has
exchanged consist of values that parse and lie in their ranges.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from lymphokit.cohort.table_values import day_and_month
from lymphokit.errors import Fault

# With ten patients, each of these checks is wrong for less than one cohort in a thousand.
_FEWEST = 10
_HIGHEST_LOG = 10.0  # log2 of 1,000: half of the competition's patients have higher counts
_FEWEST_LOW, _LYMPHOCYTOSIS = 3, 4.0  # in adults it begins there: one of three patients has more
_LOWEST_SHARE = 15.0  # percent; two thirds of the competition's patients have lower counts
_MONTHS = 12
_YEARS_ONLY = 3  # so few different days of the month: only years are known, as 1/1/1950

ALLOWED = "or, if the column is right, add {} to cohort.allow in config.yaml"


def count_faults(counts: pd.Series) -> list[Fault]:
    """Counts that are all too low, logarithms, or all too high, percentages.

    counts: lymphocytes in 10^9/L, missing where faulty.
    """
    known = counts.dropna()
    if len(known) < _FEWEST_LOW:
        return []
    is_large = len(known) >= _FEWEST
    remedy = f"write LYMPH_COUNT in 10^9/L, {ALLOWED.format('LYMPH_COUNT')}"
    low, high = known.min(), known.max()
    if high < (_HIGHEST_LOG if is_large else _LYMPHOCYTOSIS):
        finding = f"lies between {low:g} and {high:g} for all {len(known)} patients: a logarithm?"
    elif is_large and low > _LOWEST_SHARE and high <= 100:
        finding = (
            f"lies between {low:g} and {high:g} for all {len(known)} patients: "
            "a percentage of the white cells?"
        )
    else:
        return []
    return [Fault("LYMPH_COUNT", finding, remedy)]


def date_faults(dates: Mapping[str, str]) -> list[Fault]:
    """Formats of dates in which no day is above 12, though there are many dates.

    dates: text of DOB by patient.
    Where a spreadsheet reads day and month the other way, it converts the dates whose day is at
    most 12 and leaves the others as text: both are then right as dates, and wrong.
    """
    days: dict[str, dict[str, int]] = {}
    for patient, text in dates.items():
        if found := day_and_month(text):
            days.setdefault(found[0], {})[patient] = found[1]
    faults = []
    for form, by_patient in days.items():
        different = set(by_patient.values())
        if len(by_patient) < _FEWEST or len(different) <= _YEARS_ONLY or max(different) > _MONTHS:
            continue
        finding = (
            f"has {len(by_patient)} dates written with {form} ({', '.join(list(by_patient)[:3])}, "
            "...) and no day above 12 among them: are day and month exchanged?"
        )
        remedy = f"write all dates of DOB as YYYY-MM-DD, {ALLOWED.format('DOB')}"
        faults.append(Fault("DOB", finding, remedy))
    return faults


def slash_dates(dates: Sequence[str]) -> dict[str, int]:
    """Count the dates with slashes that can be read month first only, day first only, and both.

    A date whose day and month are equal is the same either way and counts as neither.
    """
    found = [day_and_month(text) for text in dates]
    pairs = [(day, month) for form, day, month in filter(None, found) if form == "slashes"]
    return {
        "month first": sum(month <= _MONTHS < day for day, month in pairs),
        "day first": sum(day <= _MONTHS < month for day, month in pairs),
        "both": sum(day <= _MONTHS and month <= _MONTHS and day != month for day, month in pairs),
    }


def describe_slash_dates(dates: Sequence[str]) -> str | None:
    """One sentence about dates that read both ways; None where there is none."""
    found = slash_dates(dates)
    if not found["both"]:
        return None
    one_way = found["month first"]
    reason = f"as {one_way} others must be" if one_way else "and no other date shows the order"
    both = f"DOB: of the dates with slashes, {found['both']} read both ways"
    return f"{both}; they are taken month first, {reason}"
