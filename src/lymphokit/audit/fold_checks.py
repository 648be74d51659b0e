"""Checks of the folds: no patient on both sides of a fold, and all predictions follow the folds."""

from collections.abc import Iterator, Mapping

import pandas as pd

from lymphokit.audit.findings import Check, FindingsByModel, counted
from lymphokit.errors import Fault

PARTS = ("train", "validation")
_REDRAW = "draw the folds again: delete folds.csv and everything that was fitted on them"
_REFIT = "fit the models of this fold again: delete their folders in results and run"

Tables = Mapping[tuple[int, str], pd.DataFrame]


def check_folds(folds: pd.DataFrame, patients: pd.DataFrame) -> Check:
    """Compare folds.csv with patients.csv.

    Every fold holds each labelled patient once, in training or in validation, and nobody else;
    every training patient is in one inner fold; in a repeat of several folds every patient is in
    validation once.
    """
    labelled = patients.loc[patients["part"] == "train", "patient"].tolist()
    test = set(patients.loc[patients["part"] == "test", "patient"])
    findings: list[tuple[str, str]] = []
    for number, fold in _by_fold(folds):
        findings += _in_fold(number, fold, labelled, test)
    findings += _validation_counts(folds, labelled)
    compared = (
        f"{counted(folds['fold'].nunique(), 'fold')} of {len(labelled):,} patients, "
        f"{counted(len(test), 'test patient')}: {len(findings)} on both sides, twice or missing"
    )
    faults = (Fault(patient, f"folds.csv: {finding}", _REDRAW) for patient, finding in findings)
    return Check("folds", compared, tuple(faults))


def _by_fold(folds: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Number and rows of each fold."""
    return ((int(str(number)), fold) for number, fold in folds.groupby("fold"))


def _in_fold(
    number: int, fold: pd.DataFrame, labelled: list[str], test: set[str]
) -> Iterator[tuple[str, str]]:
    """Findings in one fold, by patient."""
    parts_of = fold.groupby("patient")["part"].agg(list).to_dict()
    known = set(labelled)
    for patient, parts in parts_of.items():
        if len(parts) > 1:
            yield str(patient), f"is {len(parts)} times in fold {number} ({' and '.join(parts)})"
        if patient in test:
            yield str(patient), f"is a test patient, but in fold {number} ({parts[0]})"
        elif patient not in known:
            yield str(patient), f"is in fold {number} and not in patients.csv"
    for patient in labelled:
        if patient not in parts_of:
            yield patient, f"is in no part of fold {number}"
    is_training, is_known = fold["part"] == "train", fold["part"].isin(PARTS)
    for row in fold[~is_known | (is_training != (fold["inner"] >= 0))].itertuples():
        yield str(row.patient), f"is in part {row.part}, inner fold {row.inner} of fold {number}"


def _validation_counts(folds: pd.DataFrame, labelled: list[str]) -> Iterator[tuple[str, str]]:
    """Patients who are not in validation exactly once in a repeat of several folds."""
    for repeat, rows in folds.groupby("repeat"):
        if rows["fold"].nunique() < 2:  # the scheme `split` holds out some of the patients
            continue
        times = rows.loc[rows["part"] == "validation", "patient"].value_counts()
        for patient in labelled:
            if times.get(patient, 0) != 1:
                yield patient, f"validates {times.get(patient, 0)} times in repeat {repeat}, not 1"


def check_predictions(predictions: Tables, folds: pd.DataFrame, patients: pd.DataFrame) -> Check:
    """Compare every predictions.csv with the folds: patients, parts, inner folds and labels.

    predictions: the table of each (fold, model).
    """
    found = FindingsByModel(_REFIT)
    expected = {number: _roles(fold, patients) for number, fold in _by_fold(folds)}
    for (fold, model), table in predictions.items():
        for patient, finding in _role_findings(table, expected.get(fold, {})):
            found.add(patient, f"predictions.csv of fold {fold} {finding}", model)
    n_rows, faults = sum(map(len, predictions.values())), found.faults()
    compared = (
        f"{counted(n_rows, 'prediction')} of {counted(len(predictions), 'table')}: {len(faults)} "
        "of another part, fold or label than in the folds"
    )
    return Check("predictions", compared, faults)


Role = tuple[str, int, int]  # part, inner fold, label


def _roles(fold: pd.DataFrame, patients: pd.DataFrame) -> dict[str, Role]:
    """The role of every patient to predict in a fold."""
    label_of = dict(zip(patients["patient"], patients["label"], strict=True))
    rows = fold[["patient", "part", "inner"]].itertuples(index=False, name=None)
    roles = {
        patient: ("inner" if part == "train" else "validation", inner, label_of.get(patient, -1))
        for patient, part, inner in rows
    }
    test = patients.loc[patients["part"] == "test", "patient"]
    return {**roles, **dict.fromkeys(test, ("test", -1, -1))}


def _role_findings(table: pd.DataFrame, roles: Mapping[str, Role]) -> Iterator[tuple[str, str]]:
    """Differences of a table of predictions from the fold, by patient."""
    seen: set[str] = set()
    columns = ["patient", "part", "inner", "label"]
    for patient, *role in table[columns].itertuples(index=False, name=None):
        if patient in seen:
            yield patient, "predicts them twice"
        seen.add(patient)
        if patient not in roles:
            yield patient, "predicts them, who are not in this fold"
        elif tuple(role) != roles[patient]:
            yield patient, f"has them as {_role(*role)}, expected {_role(*roles[patient])}"
    for patient in roles:
        if patient not in seen:
            yield patient, "lacks them"


def _role(part: str, inner: int, label: int) -> str:
    where = f"{part} {inner}" if part == "inner" else part
    return f"{where} with label {label}"
