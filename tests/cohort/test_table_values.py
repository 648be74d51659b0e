"""Values that parse and cannot be: each is named with the unit or form that it likely has."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from lymphokit.cohort.table_values import (
    BadValueError,
    Ranges,
    comparable,
    parse_age,
    parse_count,
    parse_gender,
    parse_label,
)

ROOT_CONFIG = Path(__file__).parents[2] / "config.yaml"

TODAY = date(2025, 7, 1)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2280", "microlitre"),
        ("7500", "microlitre"),
        ("295000", "microlitre"),
        ("7.5e3", "microlitre"),
        ("7500000", "millilitre"),
        ("7500000000", "per litre"),
        ("0.0075", "10^12/L"),
        ("0.875", "logarithm"),
        ("0.36", "logarithm"),
        ("7,5", "decimal comma"),
        ("7,500", "comma"),
        ("12 500", "thousands"),
        ("12'500", "thousands"),
        ("12\u00a0500", "thousands"),
        ("1,234.5", "thousands"),
        ("1.234,5", "thousands"),
        ("45%", "percentage"),
        ("45 %", "percentage"),
        ("<5", "limit"),
        ("> 300", "limit"),
        ("7.5 G/L", "unit"),
        ("7.5x10^9/L", "unit"),
    ],
)
def test_a_count_outside_the_range_is_named_with_its_likely_unit(text: str, form: str) -> None:
    with pytest.raises(BadValueError) as error:
        parse_count(text, Ranges())
    assert form in str(error.value)


@pytest.mark.parametrize("text", ["1", "2.28", "295", "1000", "+7.5", "2.5e1"])
def test_every_count_of_a_patient_is_accepted(text: str) -> None:
    assert parse_count(text, Ranges()) == float(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("77", "age in years"),
        ("924", "age in months"),
        ("28124", "age in days"),
        ("1950", "year without"),
        ("19500413", "without separators"),
        ("1950-04-13 00:00:00", "a date with a time"),
        ("1950-04-13T00:00:00Z", "a date with a time"),
        ("4/13/1950 0:00", "a date with a time"),
        ("13.04.1950", "day first"),
        ("1950/04/13", "year first"),
        ("4-13-1950", "one digit"),
        ("13 April 1950", "words"),
        ("13-Apr-50", "words"),
        ("77 y", "an age"),
        ("4/13/2050", "century"),
        ("4/13/2021", "century"),
        ("4/13/2015", "10 years old"),
        ("1900-01-01", "years old"),
        ("4/13/50", "two digits"),
    ],
)
def test_a_date_of_birth_that_cannot_be_is_named_with_its_form(text: str, form: str) -> None:
    with pytest.raises(BadValueError) as error:
        parse_age(text, TODAY, Ranges())
    assert form in str(error.value)


@pytest.mark.parametrize(
    ("text", "form"), [("2", "from 1"), ("0.7", "probability"), ("yes", "word")]
)
def test_a_label_in_another_coding_is_named(text: str, form: str) -> None:
    with pytest.raises(BadValueError, match=form):
        parse_label(text)


@pytest.mark.parametrize(("text", "form"), [("1", "coded"), ("female", "word"), ("H", "language")])
def test_a_gender_in_another_coding_is_named(text: str, form: str) -> None:
    with pytest.raises(BadValueError, match=form):
        parse_gender(text)


def test_a_range_can_be_changed_and_a_column_allowed() -> None:
    wider = Ranges.from_settings({"lymph_count": (1, 5000)})
    assert parse_count("2280", wider) == 2280
    assert wider.age_years == Ranges().age_years
    free = Ranges.from_settings(None, ["DOB", "LYMPH_COUNT", "sample_submission.csv"])
    assert parse_count("2280000", free) == 2280000
    assert parse_age("4/13/2021", TODAY, free) < 5
    with pytest.raises(BadValueError, match="after the reference date"):
        parse_age("4/13/2050", TODAY, free)


def test_the_defaults_are_those_of_the_configuration() -> None:
    cohort = yaml.safe_load(ROOT_CONFIG.read_text())["cohort"]
    assert Ranges.from_settings(cohort["ranges"], cohort["allow"]) == Ranges()


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        ("LYMPH_COUNT", "7.5", "7.50"),
        ("DOB", "4/13/1950", "13-04-1950"),
        ("DOB", "04/13/1950", "1950-04-13"),
        ("GENDER", "f", "F"),
        ("LABEL", "1", "1.0"),
    ],
)
def test_texts_of_the_same_value_are_equal(column: str, first: str, second: str) -> None:
    assert comparable(column, first) == comparable(column, second)
    assert comparable(column, first) != comparable(column, "x")
