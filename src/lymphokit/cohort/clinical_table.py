"""Read the clinical table as text, check every value, and collect all faults.

The result is in the natural order of patients, with ages in place of dates. In the competition's
table the order of the rows and the format of the dates are correlated with the label; neither
reaches a model.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.cohort.column_checks import (
    count_faults,
    date_faults,
    describe_slash_dates,
    slash_dates,
)
from lymphokit.cohort.layout import natural_order
from lymphokit.cohort.table_values import (
    BadValueError,
    Ranges,
    id_finding,
    is_missing,
    parse_age,
    parse_count,
    parse_gender,
    parse_label,
)
from lymphokit.errors import Fault
from lymphokit.files import read_regular

COLUMNS = ("ID", "LABEL", "GENDER", "DOB", "LYMPH_COUNT")
_FILL_IN = "fill in every value of the table, or take the patient and the images out of the cohort"
_RANGE = "; a value that is right although it is unusual: widen cohort.ranges in config.yaml"
_REMEDIES = {
    "LABEL": "write LABEL as 1 (tumoral), 0 (reactive) or -1 (test)",
    "GENDER": "write GENDER as M or F",
    "DOB": "write DOB as M/D/YYYY, DD-MM-YYYY or YYYY-MM-DD, not after cohort.reference_date"
    + _RANGE,
    "LYMPH_COUNT": "write LYMPH_COUNT in 10^9/L as a positive number with a decimal point" + _RANGE,
}
# Far more than any table of patients has.
_MOST_COLUMNS, _MOST_ROWS, _MOST_CHARACTERS = 1000, 100_000, 1000
_LISTED = 5  # lines named in a message
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Row:
    """A row of a table as text by column, with the file's name and the line."""

    table: str
    line: int
    values: dict[str, str]


def read_clinical(
    tables: Sequence[Path],
    reference_date: date,
    *,
    ranges: Mapping[str, Sequence[float]] | None = None,
    allow: Sequence[str] = (),
) -> tuple[pd.DataFrame, list[Fault]]:
    """Read the clinical table, or the tables of the two sets, and collect all faults.

    ranges: changes to `Ranges`; allow: columns whose ranges and whose distribution are not checked.
    Returns patients in natural order: patient, part, label, gender, age_years (at
    reference_date), lymphocytes_giga_per_litre. A faulty value is missing, a repeated patient is
    listed once; column types are as documented where there is no fault.
    """
    rows, faults = _rows_of_all(tables)
    if tables and not rows and not faults:
        remedy = "give each patient a row in the table"
        faults.append(Fault(tables[0].name, "lists no patient", remedy))
    empty = _empty_columns(rows)
    faults += [Fault(rows[0].table, f"has no value in {name}", _FILL_IN) for name in empty]
    dates = {row.values.get("ID", ""): row.values.get("DOB", "") for row in rows}
    reading = _Reading(reference_date, Ranges.from_settings(ranges, allow), empty, _remedies(dates))
    records: dict[str, dict[str, Any]] = {}
    for row in rows:
        patient = row.values.get("ID", "")
        if finding := id_finding(patient):
            remedy = _FILL_IN if is_missing(patient) else "write each id as the name of the folder"
            faults.append(Fault(f"{row.table}, line {row.line}", f"ID {finding}", remedy))
        elif patient not in records:
            records[patient], wrong = _record(patient, row, reading)
            faults += wrong
    frame = _frame(list(records.values()))
    faults += _repeated(rows, records)
    faults += _alike(list(records))
    faults += [] if "LYMPH_COUNT" in allow else count_faults(frame["lymphocytes_giga_per_litre"])
    faults += [] if "DOB" in allow else date_faults(dates)
    return frame, list(dict.fromkeys(faults))


def date_note(tables: Sequence[Path]) -> str | None:
    """One sentence about dates that read both ways; None where there is none."""
    return describe_slash_dates([row.values.get("DOB", "") for row in _rows_of_all(tables)[0]])


def _rows_of_all(tables: Sequence[Path]) -> tuple[list[Row], list[Fault]]:
    """The rows of all tables in the natural order of patients, and the faults of the tables."""
    rows: list[Row] = []
    faults: list[Fault] = []
    for table in tables:
        found, wrong = rows_of(table)
        rows += found
        faults += wrong
    return natural_order(rows, lambda row: row.values.get("ID", "")), faults


@dataclass(frozen=True)
class _Reading:
    """How the values of a patient are read; columns that are empty everywhere are left out."""

    reference_date: date
    ranges: Ranges
    empty: tuple[str, ...]
    remedies: Mapping[str, str]


def _empty_columns(rows: Sequence[Row]) -> tuple[str, ...]:
    """The columns without any value; one row shows nothing about its column."""
    if len(rows) < 2:
        return ()
    return tuple(
        name
        for name in COLUMNS[1:]
        if all(is_missing(row.values[name]) for row in rows if name in row.values)
        and any(name in row.values for row in rows)
    )


def _remedies(dates: Mapping[str, str]) -> dict[str, str]:
    """The remedy of each column; that of DOB counts the ways to read dates with slashes."""
    found = slash_dates(list(dates.values()))
    remedies = dict(_REMEDIES)
    if found["day first"]:
        counts = ", ".join(f"{number} {way}" for way, number in found.items())
        remedies["DOB"] += f"; of the dates with slashes can be read: {counts}"
    return remedies


def _alike(patients: Sequence[str]) -> list[Fault]:
    """Ids that differ in case or blanks alone: one patient, most likely."""
    spellings: dict[str, list[str]] = {}
    for patient in patients:
        key = "".join(unicodedata.normalize("NFKC", patient).casefold().split())
        spellings.setdefault(key, []).append(patient)
    how = "in case, blanks or normalisation only"
    remedy = "leave one row a patient, with the id written as the name of the folder"
    return [
        Fault(first, f"differs from {', '.join(map(repr, others))} {how}", remedy)
        for first, *others in spellings.values()
        if others
    ]


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


def _repeated(rows: Sequence[Row], patients: Collection[str]) -> list[Fault]:
    """A fault for each patient with several rows."""
    places: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        places.setdefault(row.values.get("ID", ""), []).append((row.table, row.line))
    faults = []
    for patient, found in places.items():
        if patient in patients and len(found) > 1:
            where = ", ".join(f"line {line} of {table}" for table, line in sorted(found)[:_LISTED])
            more = f" and {len(found) - _LISTED:,} more" if len(found) > _LISTED else ""
            finding = f"has {len(found):,} rows: {where}{more}"
            faults.append(Fault(patient, finding, "leave one row a patient"))
    return faults


def rows_of(table: Path) -> tuple[list[Row], list[Fault]]:
    """Read the rows of a table as text, and collect faults of its columns and its format."""
    remedy = "save the table as comma-separated UTF-8 text with one header line"
    try:
        text = read_regular(table).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [_plain(name) for name in next(reader, [])]
        lines = [(reader.line_num, [_plain(cell) for cell in cells]) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        return [], [Fault(table.name, f"cannot be read as a table: {reason}", remedy)]
    if finding := _unlike_a_table(header, lines):
        return [], [Fault(table.name, finding, remedy)]
    faults = _column_faults(table.name, header)
    if "ID" not in header:
        return [], faults
    named = [place for place, name in enumerate(header) if name in COLUMNS]
    rows = []
    for line, cells in lines:
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()  # a spreadsheet's empty columns
        if not any(cells) or (len(cells) == len(header) and not any(cells[n] for n in named)):
            continue  # a blank row, which a spreadsheet may have numbered
        if len(cells) == len(header):
            rows.append(Row(table.name, line, dict(zip(header, cells, strict=True))))
        else:
            finding = f"line {line} has {len(cells)} values, and the header {len(header)} columns"
            faults.append(Fault(table.name, finding, f"{remedy}; write decimals with a point"))
    return rows, faults


def _unlike_a_table(header: Sequence[str], lines: Sequence[tuple[int, list[str]]]) -> str:
    """What no table of patients has, and what would take long to read; empty where it is one."""
    if len(header) > _MOST_COLUMNS:
        return f"has {len(header):,} columns"
    if len(lines) > _MOST_ROWS:
        return f"has {len(lines):,} rows"
    for line, cells in [(1, header), *lines]:
        if (longest := max(map(len, cells), default=0)) > _MOST_CHARACTERS:
            return f"line {line} has a value of {longest:,} characters"
    return ""


def _plain(cell: str) -> str:
    """A cell without blanks around it and without invisible characters."""
    return "".join(sign for sign in cell if unicodedata.category(sign) != "Cf").strip()


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
    separator = next((name for sign, name in _SEPARATORS.items() if sign in "".join(header)), None)
    if separator and "ID" not in named:
        remedy = f"separate the columns of the table by commas, not by {separator}"
    return [Fault(table, finding, remedy) for finding in findings]


def _nearest(name: str, others: Sequence[str]) -> str:
    by_upper = {other.upper(): other for other in others}
    close = get_close_matches(name.upper(), by_upper, n=1)
    return f"; the nearest is {by_upper[close[0]]!r}" if close else ""


def _record(patient: str, row: Row, reading: _Reading) -> tuple[dict[str, Any], list[Fault]]:
    """Check the values of one patient; a faulty value is left out and described."""
    record: dict[str, Any] = {"patient": patient}
    faults = []
    day, ranges = reading.reference_date, reading.ranges
    parsers: list[tuple[str, str, Callable[[str], Any]]] = [
        ("LABEL", "label", parse_label),
        ("GENDER", "gender", parse_gender),
        ("DOB", "age_years", lambda text: parse_age(text, day, ranges)),
        ("LYMPH_COUNT", "lymphocytes_giga_per_litre", lambda text: parse_count(text, ranges)),
    ]
    for column, name, parse in parsers:
        text = row.values.get(column)
        if text is None or column in reading.empty:  # one fault for the whole table
            continue
        if is_missing(text):
            faults.append(Fault(patient, f"{column} is missing", _FILL_IN))
            continue
        try:
            record[name] = parse(text)
        except BadValueError as finding:
            remedy = reading.remedies[column]
            faults.append(Fault(patient, f"{column} {text!r} {finding}", remedy))
    if "label" in record:
        record["part"] = "test" if record["label"] == -1 else "train"
    return record, faults
