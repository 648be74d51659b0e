"""Read the clinical table as text, check every value, and collect all faults.

The result is in the natural order of patients, with ages in place of dates. In the competition's
table the order of the rows and the format of the dates are correlated with the label; neither
reaches a model.
"""

import csv
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.cohort.layout import natural_order
from lymphokit.errors import Fault

COLUMNS = ("ID", "LABEL", "GENDER", "DOB", "LYMPH_COUNT")
OLDEST_YEARS = 120
DAYS_A_YEAR = 365.25

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat", "?", "-"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_DASHES = re.compile(r"(\d{2})-(\d{2})-(\d{4})", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_SHORT_YEAR = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}", re.ASCII)
_FILL_IN = "fill in every value of the table, or take the patient and the images out of the cohort"
_REMEDIES = {
    "LABEL": "write LABEL as 1 (tumoral), 0 (reactive) or -1 (test)",
    "GENDER": "write GENDER as M or F",
    "DOB": "write DOB as M/D/YYYY, DD-MM-YYYY or YYYY-MM-DD, not after cohort.reference_date",
    "LYMPH_COUNT": "write LYMPH_COUNT in 10^9/L as a positive number with a decimal point",
}


class _BadValueError(Exception):
    """A value that cannot be used; the message is the finding."""


@dataclass(frozen=True)
class Row:
    """A row of a table as text by column, with the file's name and the line."""

    table: str
    line: int
    values: dict[str, str]


def read_clinical(tables: Sequence[Path], reference_date: date) -> tuple[pd.DataFrame, list[Fault]]:
    """Read the clinical table, or the tables of the two sets, and collect all faults.

    Returns patients in natural order: patient, part, label, gender, age_years (at
    reference_date), lymphocytes_giga_per_litre. A faulty value is missing, a repeated patient is
    listed once; column types are as documented where there is no fault.
    """
    rows: list[Row] = []
    faults: list[Fault] = []
    for table in tables:
        found, wrong = rows_of(table)
        rows += found
        faults += wrong
    if tables and not rows and not faults:
        remedy = "give each patient a row in the table"
        faults.append(Fault(tables[0].name, "lists no patient", remedy))
    rows = natural_order(rows, lambda row: row.values.get("ID", ""))
    records: dict[str, dict[str, Any]] = {}
    for row in rows:
        patient = row.values.get("ID", "")
        if patient.lower() in _MISSING:
            faults.append(Fault(f"{row.table}, line {row.line}", "ID is missing", _FILL_IN))
        elif patient in records:
            faults.append(_repeated(patient, rows))
        else:
            records[patient], wrong = _record(patient, row, reference_date)
            faults += wrong
    return _frame(list(records.values())), list(dict.fromkeys(faults))


def _frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    columns = {
        "patient": "str",
        "part": "str",
        "label": "Int64",
        "gender": "str",
        "age_years": "float64",
        "lymphocytes_giga_per_litre": "float64",
    }
    frame = pd.DataFrame(records, columns=list(columns)).astype(columns)
    return frame if frame["label"].isna().any() else frame.astype({"label": "int64"})


def _repeated(patient: str, rows: Sequence[Row]) -> Fault:
    places = sorted((row.table, row.line) for row in rows if row.values.get("ID") == patient)
    where = ", ".join(f"line {line} of {table}" for table, line in places)
    return Fault(patient, f"has {len(places)} rows: {where}", "leave one row a patient")


def rows_of(table: Path) -> tuple[list[Row], list[Fault]]:
    """Read the rows of a table as text, and collect faults of its columns and its format."""
    remedy = "save the table as comma-separated UTF-8 text with one header line"
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        return [], [Fault(table.name, f"cannot be read as a table: {error}", remedy)]
    faults = _column_faults(table.name, header)
    if "ID" not in header:
        return [], faults
    rows = []
    for line, cells in lines:
        if len(cells) == len(header):
            values = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            rows.append(Row(table.name, line, values))
        else:
            finding = f"line {line} has {len(cells)} values, and the header {len(header)} columns"
            faults.append(Fault(table.name, finding, remedy))
    return rows, faults


def _column_faults(table: str, header: Sequence[str]) -> list[Fault]:
    """Find columns that are missing, unknown or repeated; suggest the nearest name.

    A column without a name is an index written by pandas, and no fault.
    """
    named = [name for name in header if name and not name.startswith("Unnamed:")]
    findings = [
        f"has no column {name}{_nearest(name, [other for other in named if other not in COLUMNS])}"
        for name in COLUMNS
        if name not in named
    ]
    findings += [
        f"has an unknown column {name!r}{_nearest(name, COLUMNS)}"
        for name in dict.fromkeys(named)
        if name not in COLUMNS
    ]
    findings += [f"has {name} twice" for name in dict.fromkeys(named) if named.count(name) > 1]
    remedy = f"name the columns {', '.join(COLUMNS)}, and keep no other"
    return [Fault(table, finding, remedy) for finding in findings]


def _nearest(name: str, others: Sequence[str]) -> str:
    by_upper = {other.upper(): other for other in others}
    close = get_close_matches(name.upper(), by_upper, n=1)
    return f"; the nearest is {by_upper[close[0]]!r}" if close else ""


def _record(patient: str, row: Row, reference_date: date) -> tuple[dict[str, Any], list[Fault]]:
    """Check the values of one patient; a faulty value is left out and described."""
    record: dict[str, Any] = {"patient": patient}
    faults = []
    parsers: list[tuple[str, str, Callable[[str], Any]]] = [
        ("LABEL", "label", _label),
        ("GENDER", "gender", _gender),
        ("DOB", "age_years", lambda text: _age_years(text, reference_date)),
        ("LYMPH_COUNT", "lymphocytes_giga_per_litre", _count),
    ]
    for column, name, parse in parsers:
        text = row.values.get(column)
        if text is None:  # the column is missing: one fault for the whole table
            continue
        if text.lower() in _MISSING:
            faults.append(Fault(patient, f"{column} is missing", _FILL_IN))
            continue
        try:
            record[name] = parse(text)
        except _BadValueError as finding:
            faults.append(Fault(patient, f"{column} {text!r} {finding}", _REMEDIES[column]))
    if "label" in record:
        record["part"] = "test" if record["label"] == -1 else "train"
    return record, faults


def _label(text: str) -> int:
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if number not in (0, 1, -1):
        raise _BadValueError("is none of 1, 0 and -1")
    return int(number)


def _gender(text: str) -> str:
    if text.upper() not in ("M", "F"):
        raise _BadValueError("is neither M nor F")
    return text.upper()


def _count(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise _BadValueError("is not a number")
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise _BadValueError("is not a positive, finite number")
    return number


def _age_years(text: str, reference_date: date) -> float:
    born = _birth(text)
    if born > reference_date:
        raise _BadValueError(f"is after the reference date {reference_date}")
    years = (reference_date - born).days / DAYS_A_YEAR
    if years > OLDEST_YEARS:
        raise _BadValueError(f"makes the patient {years:.0f} years old")
    return years


def _birth(text: str) -> date:
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
        raise _BadValueError("has a year of two digits, so that its century is unknown")
    else:
        raise _BadValueError("is a date in an unknown format")
    try:
        return date(year, month, day)
    except ValueError as error:
        raise _BadValueError(f"is no day of the calendar: {rule}") from error
