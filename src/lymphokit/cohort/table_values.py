"""Values of the clinical table: text to number, the ranges of the competition, the likely unit.

A value that parses and lies outside its range is a fault: it usually has another unit or form.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lymphokit.errors import quoted

DAYS_A_YEAR = 365.25
# Excel counts days from here: its 1900 has a 29 February.
_EXCEL_EPOCH = date(1899, 12, 30)

_MISSING = frozenset(
    {
        *("", "na", "n/a", "nan", "-nan", "null", "none", "nat", "<na>", "nil", "nd", "n.d."),
        *("?", "-", "--", "\u2013", "\u2014", ".", "missing", "unknown"),
        *("#n/a", "#n/a n/a", "#na", "#null!", "#value!", "#ref!", "#div/0!", "#name?", "#num!"),
    }
)
_MOST_OF_ID = 200  # characters: it is the name of a folder
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_DASHES = re.compile(r"(\d{2})-(\d{2})-(\d{4})", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_SHORT_YEAR = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}", re.ASCII)

# What a text that is no number looks like, in the order of the checks.
_NUMBER_FORMS = (
    (re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+"), "commas separate thousands"),
    (re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+"), "points separate thousands, a comma the decimals"),
    (re.compile(r"[+-]?\d{1,3}(,\d{3})+"), "a comma separates thousands, or decimals"),
    (re.compile(r"[+-]?\d{1,3}(\.\d{3}){2,}"), "points separate thousands"),
    (re.compile(r"[+-]?\d{1,3}([\s'\u2019]\d{3})+([.,]\d+)?"), "blanks or quotes in thousands"),
    (re.compile(r"[+-]?\d*,\d+"), "a decimal comma"),
    (re.compile(r"[+-]?[\d.,]+\s*%"), "a percentage"),
    (re.compile(r"[<>\u2264\u2265~]\s*[\d.,]+"), "a limit in place of a value"),
    (re.compile(r"[+-]?[\d.,]+\s*[x*\u00d7]?\s*(10\^?\d+.*|[a-z\u00b5\u03bc].*)", re.I), "a unit"),
)


# What a text that is no date in a known format looks like.
_DATE_FORMS = (
    (re.compile(r"[\d/-]{8,10}[T ][\d:.]+Z?", re.ASCII), "a date with a time"),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}", re.ASCII), "points, most likely day first"),
    (re.compile(r"\d{4}[/.]\d{1,2}[/.]\d{1,2}", re.ASCII), "the year first, without dashes"),
    (re.compile(r"\d{1,2}-\d{1,2}-\d{4}", re.ASCII), "dashes, with a number of one digit"),
    (re.compile(r".*[a-z]{3}.*", re.IGNORECASE), "a month in words"),
    (re.compile(r"\d+\s*(y|m|d|a|ans|years?)\b.*", re.IGNORECASE), "an age"),
)


class BadValueError(Exception):
    """A value that cannot be used; the message is the finding."""


@dataclass(frozen=True)
class Ranges:
    """Lowest and highest value, both included, that a patient of this competition can have.

    age_years: adults. lymph_count in 10^9/L: lymphocytosis begins at 4 in adults, the competition
    has 2.28 to 295, leukaemias reach some 800; in cells per microlitre they begin at 2,280.
    """

    age_years: tuple[float, float] = (18, 120)
    lymph_count: tuple[float, float] = (1, 1000)

    @classmethod
    def from_settings(
        cls, ranges: Mapping[str, Sequence[float]] | None, allow: Sequence[str] = ()
    ) -> "Ranges":
        """Ranges with changes; a column in `allow` has none."""
        limits = {name: (low, high) for name, (low, high) in (ranges or {}).items()}
        without = {"age_years": (0.0, math.inf), "lymph_count": (0.0, math.inf)}
        columns = {"DOB": "age_years", "LYMPH_COUNT": "lymph_count"}
        limits |= {columns[name]: without[columns[name]] for name in allow if name in columns}
        return cls(**limits)


def comparable(column: str, text: str) -> object:
    """The value of a text, equal for texts that mean the same; the text where it has none."""
    anything = Ranges((-math.inf, math.inf), (-math.inf, math.inf))
    parsers: dict[str, Callable[[str], object]] = {
        "LABEL": parse_label,
        "GENDER": parse_gender,
        "DOB": lambda text: parse_birth(text, date.max),
        "LYMPH_COUNT": lambda text: parse_count(text, anything),
    }
    try:
        return parsers[column](text)
    except BadValueError:
        return text


def is_missing(text: str) -> bool:
    """Whether a text means that there is no value."""
    return text.lower() in _MISSING


def id_finding(text: str) -> str:
    """Why a text cannot be a patient's id; empty where it can.

    A spreadsheet would run an id that is a formula, in the submission as well.
    """
    if is_missing(text):
        return "is missing"
    if text[0] in "=+@-":
        return f"{quoted(text)} is a formula for a spreadsheet"
    if len(text) > _MOST_OF_ID:
        return f"{quoted(text)} has {len(text)} characters"
    return f"{quoted(text)} has control characters" if _CONTROL.search(text) else ""


def parse_label(text: str) -> int:
    """1, 0 or -1. Raises BadValueError."""
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if number not in (0, 1, -1):
        raise BadValueError(f"is none of 1, 0 and -1{_label_form(text)}")
    return int(number)


def _label_form(text: str) -> str:
    if re.fullmatch(r"[+-]?\d*\.\d+", text):
        return ": a probability?"
    if _NUMBER.fullmatch(text):
        return ": labels counted from 1?"
    return ": a label in words?" if text.isalpha() else ""


def parse_gender(text: str) -> str:
    """M or F. Raises BadValueError."""
    if text.upper() not in ("M", "F"):
        raise BadValueError(f"is neither M nor F{_gender_form(text)}")
    return text.upper()


def _gender_form(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return ": a coded number?"
    if text.upper() in ("H", "W", "D"):
        return ": the letter of another language?"
    return ": a word?" if len(text) > 1 else ""


def parse_count(text: str, ranges: Ranges) -> float:
    """Lymphocytes in 10^9/L. Raises BadValueError, with the likely form or unit."""
    if not _NUMBER.fullmatch(text):
        form = next((name for form, name in _NUMBER_FORMS if form.fullmatch(text)), None)
        raise BadValueError("is not a number" + (f": {form}?" if form else ""))
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise BadValueError("is not a positive, finite number")
    low, high = ranges.lymph_count
    if not low <= number <= high:
        raise BadValueError(f"is outside {low:g} to {high:g} x 10^9/L: {_unit(number, ranges)}?")
    return number


def _unit(number: float, ranges: Ranges) -> str:
    """The unit or form in which a count outside the range lies inside."""
    low, high = ranges.lymph_count
    units = {1e3: "cells per microlitre", 1e6: "cells per millilitre", 1e9: "cells per litre"}
    for factor, name in units.items():
        if number > high and low <= number / factor <= high:
            return f"in {name} (divide by {factor:,.0f})"
    if number < low and low <= number * 1000 < 300:
        return "in 10^12/L (multiply by 1,000), a share of the white cells, or a logarithm"
    return "a logarithm, or a share of the white cells" if number < low else "in another unit"


def parse_age(text: str, reference_date: date, ranges: Ranges) -> float:
    """Years from the date of birth to reference_date. Raises BadValueError."""
    born = parse_birth(text, reference_date)
    low, high = ranges.age_years
    years = (reference_date - born).days / DAYS_A_YEAR
    century = ": a century too late?" if low <= years + 100 <= high else ""
    if born > reference_date:
        raise BadValueError(f"is after the reference date {reference_date}{century}")
    if not low <= years <= high:
        finding = f"makes the patient {years:.0f} years old, and the range is {low:g} to {high:g}"
        raise BadValueError(f"{finding}{century}")
    return years


def parse_birth(text: str, reference_date: date) -> date:
    """Parse a date whose format leaves no doubt which number is the day and which the month."""
    if match := _SLASHES.fullmatch(text):
        month, day, year = (int(number) for number in match.groups())
        rule = "slashes mean month first"
    elif match := _DASHES.fullmatch(text):
        day, month, year = (int(number) for number in match.groups())
        rule = "dashes mean day first"
    elif match := _ISO.fullmatch(text):
        year, month, day = (int(number) for number in match.groups())
        rule = "the year stands first, then the month"
    elif _SHORT_YEAR.fullmatch(text):
        raise BadValueError("has a year of two digits, so that its century is unknown")
    else:
        form = _date_form(text, reference_date)
        raise BadValueError(f"is a date in an unknown format{form and f': {form}?'}")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise BadValueError(f"is no day of the calendar: {rule}") from error


def _date_form(text: str, reference_date: date) -> str:
    """What a number in place of a date may be; empty where nothing is likely."""
    for form, name in _DATE_FORMS:
        if form.fullmatch(text):
            return name
    if not _NUMBER.fullmatch(text):
        return ""
    number = float(text)
    if 0 <= number <= 120:
        return "an age in years"
    if number <= 120 * 12:
        return "an age in months"
    if number <= reference_date.year and number >= reference_date.year - 120:
        return "a year without day and month"
    if number <= 120 * 366:
        day = _EXCEL_EPOCH + timedelta(days=int(number))
        return f"an age in days, or a spreadsheet's number of the day {day}"
    return "a date without separators" if len(text) in (6, 8) else "a count of seconds"


def day_and_month(text: str) -> tuple[str, int, int] | None:
    """The format of a date, and its day and month as the kit reads them; None for no date.

    The format is `slashes`, `dashes` or `year first`; the numbers may be no day of the calendar.
    """
    if match := _SLASHES.fullmatch(text):
        return "slashes", int(match[2]), int(match[1])
    if match := _DASHES.fullmatch(text):
        return "dashes", int(match[1]), int(match[2])
    if match := _ISO.fullmatch(text):
        return "year first", int(match[3]), int(match[2])
    return None
