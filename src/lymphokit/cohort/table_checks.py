"""Checks of the clinical table against the other tables of the download, and of its two parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lymphokit.cohort.clinical_table import COLUMNS, Row, rows_of
from lymphokit.cohort.column_checks import ALLOWED
from lymphokit.cohort.download_search import SET_TABLES, SIMULATED_ID
from lymphokit.cohort.image_folder import normalised
from lymphokit.cohort.layout import SAMPLE, natural_order
from lymphokit.cohort.table_values import comparable, is_missing
from lymphokit.errors import Fault

_LISTED = 5  # examples in a message
_AGREE = "the tables of one download agree: correct one of them, or remove it"


def part_faults(table: pd.DataFrame) -> list[Fault]:
    """Parts of the cohort that are missing: patients to predict, and both labels to learn from.

    Says nothing while a label is faulty.
    """
    labels = table["label"]
    if table.empty or labels.isna().any():
        return []
    meaning = {
        -1: ("patient to predict", "give the patients to predict the LABEL -1 in the table"),
        0: ("reactive patient to learn from", "add labelled patients whose LABEL is 0"),
        1: ("tumoral patient to learn from", "add labelled patients whose LABEL is 1"),
    }
    return [
        Fault("LABEL", f"is {label} for none of {len(table)} patients: there is no {who}", remedy)
        for label, (who, remedy) in meaning.items()
        if not (labels == label).any()
    ]


def simulated_faults(table: pd.DataFrame) -> list[Fault]:
    """Simulated patients among others, whose drawn images no model may learn from."""
    names = [name for name in table["patient"] if SIMULATED_ID.fullmatch(name)]
    if not names or len(names) == len(table):
        return []
    finding = f"{len(names)} of {len(table)} patients are simulated: {_examples(names)}"
    return [Fault("ID", finding, "take them out of the table and the folders")]


def simulated_note(table: pd.DataFrame) -> str | None:
    """One sentence where all patients are simulated; else None."""
    if table.empty or not all(SIMULATED_ID.fullmatch(name) for name in table["patient"]):
        return None
    return f"all {len(table)} patients are simulated (SIM001, ...): no result is of real ones"


def sample_faults(
    ids: Sequence[str], table: pd.DataFrame, allow: Sequence[str] = ()
) -> list[Fault]:
    """Ids in the sample submission that are no test patients, as in that of another edition.

    The competition's sample lists some of the test patients, and some of them twice: no fault.
    """
    if SAMPLE in allow or table.empty:
        return []
    parts = dict(zip(map(normalised, table["patient"]), table["part"], strict=True))
    part_of = {name: parts.get(normalised(name), "none") for name in ids}
    others = natural_order([name for name, part in part_of.items() if part == "none"], str)
    training = natural_order([name for name, part in part_of.items() if part == "train"], str)
    remedy = (
        f"copy {SAMPLE} from the same download as the table, or keep its first line alone, "
        f"{ALLOWED.format(SAMPLE)}"
    )
    finding = {
        "which the table does not list: is it of another edition?": others,
        "which have a label in the table: is it of another edition?": training,
    }
    return [
        Fault(SAMPLE, f"lists {_examples(names)}, {what}", remedy)
        for what, names in finding.items()
        if names
    ]


def _examples(names: Sequence[str]) -> str:
    first = ", ".join(names[:_LISTED])
    return first if len(names) <= _LISTED else f"{first} and {len(names) - _LISTED} more ids"


def disagreements(tables: Sequence[Path], others: Sequence[Path]) -> list[Fault]:
    """Values in which other tables of the download differ from the clinical table that is used.

    Texts that mean the same are equal: 7.5 and 7.50, or a date in two formats. A value or a column
    that one of the tables lacks is not compared. Patients must be in both, where the others are
    the tables of both sets. Faults of the tables used are reported elsewhere.
    """
    used = {row.values["ID"]: row for table in tables for row in rows_of(table)[0]}
    faults: list[Fault] = []
    listed: set[str] = set()
    for other in others:
        rows, wrong = rows_of(other)
        faults += wrong if not rows else []
        listed |= {row.values["ID"] for row in rows}
        faults += [fault for row in rows for fault in _against(row, used)]
    if len(others) == len(SET_TABLES) and listed:
        names = " nor in ".join(other.name for other in others)
        faults += [
            Fault(patient, f"is in {row.table}, line {row.line}, but neither in {names}", _AGREE)
            for patient, row in used.items()
            if patient not in listed
        ]
    return faults


def _against(row: Row, used: Mapping[str, Row]) -> list[Fault]:
    """The disagreements of a row with the row of the same patient in the table that is used."""
    patient = row.values["ID"]
    if patient not in used:
        finding = f"is in {row.table}, line {row.line}, but not in the clinical table"
        return [Fault(patient or row.table, finding, _AGREE)]
    first = used[patient]
    return [
        Fault(patient, f"{name} is {mine!r} in {first.table} and {theirs!r} in {row.table}", _AGREE)
        for name in COLUMNS[1:]
        if (mine := first.values.get(name, ""))
        and (theirs := row.values.get(name, ""))
        and not (is_missing(mine) or is_missing(theirs))
        and comparable(name, mine) != comparable(name, theirs)
    ]
