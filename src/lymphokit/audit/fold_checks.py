"""Nobody is on both sides of a fold, and every prediction keeps to the folds."""

from collections.abc import Iterator, Mapping

import pandas as pd

from lymphokit.audit.findings import Check, FindingsByModel, counted
from lymphokit.errors import Fault

PARTS = ("train", "validation")
_DRAW = "draw the folds again: delete folds.csv and everything that was fitted on them"
_FIT = "fit the models of this fold again: delete their folders in results and run"

Tables = Mapping[tuple[int, str], pd.DataFrame]


def check_folds(folds: pd.DataFrame, patients: pd.DataFrame) -> Check:
    """Compare folds.csv with patients.csv.

    Every fold holds each labelled patient once, to train or to validate, and nobody else; whoever
    trains is in one inner fold; in a repeat of several folds everybody validates once.
    """
    labelled = patients.loc[patients["part"] == "train", "patient"].tolist()
    test = set(patients.loc[patients["part"] == "test", "patient"])
    faults = [
        Fault(patient, f"folds.csv: {finding}", _DRAW)
        for number, fold in folds.groupby("fold")
        for patient, finding in _of_fold(int(str(number)), fold, labelled, test)
    ]
    faults += [
        Fault(patient, f"folds.csv: {finding}", _DRAW)
        for patient, finding in _validated(folds, labelled)
    ]
    compared = (
        f"{counted(folds['fold'].nunique(), 'fold')} of {len(labelled):,} patients, "
        f"{counted(len(test), 'test patient')}: {len(faults)} on both sides, twice or missing"
    )
    return Check("folds", compared, tuple(faults))


def _of_fold(
    number: int, fold: pd.DataFrame, labelled: list[str], test: set[str]
) -> Iterator[tuple[str, str]]:
    """What is wrong with one fold, by patient."""
    held = fold.groupby("patient")["part"].agg(list).to_dict()
    for patient, parts in held.items():
        if len(parts) > 1:
            yield str(patient), f"is {len(parts)} times in fold {number} ({' and '.join(parts)})"
        if patient in test:
            yield str(patient), f"is a test patient, but in fold {number} ({parts[0]})"
        elif patient not in set(labelled):
            yield str(patient), f"is in fold {number} and not in patients.csv"
    for patient in labelled:
        if patient not in held:
            yield patient, f"is in no part of fold {number}"
    training, known = fold["part"] == "train", fold["part"].isin(PARTS)
    wrong = fold[~known | (training != (fold["inner"] >= 0))]
    for row in wrong.itertuples():
        yield str(row.patient), f"is in part {row.part}, inner fold {row.inner} of fold {number}"


def _validated(folds: pd.DataFrame, labelled: list[str]) -> Iterator[tuple[str, str]]:
    """Who does not validate exactly once in a repeat of several folds."""
    for repeat, own in folds.groupby("repeat"):
        if own["fold"].nunique() < 2:
            continue
        times = own.loc[own["part"] == "validation", "patient"].value_counts()
        for patient in labelled:
            n = int(times.get(patient, 0))
            if n != 1:
                yield patient, f"validates {n} times in repeat {repeat}, to be 1"


def check_predictions(predictions: Tables, folds: pd.DataFrame, patients: pd.DataFrame) -> Check:
    """Compare every predictions.csv with the folds: who is predicted, as what, with which label.

    predictions: the table of each (fold, model).
    """
    found = FindingsByModel(_FIT)
    expected = {int(str(number)): _roles(fold, patients) for number, fold in folds.groupby("fold")}
    for (fold, model), table in predictions.items():
        for patient, finding in _unlike(table, expected.get(fold, {})):
            found.add(patient, f"predictions.csv of fold {fold} {finding}", model)
    n_rows, faults = sum(map(len, predictions.values())), tuple(found.faults())
    compared = (
        f"{counted(n_rows, 'prediction')} of {counted(len(predictions), 'table')}: {len(faults)} "
        "of another part, fold or label than in the folds"
    )
    return Check("predictions", compared, faults)


def _roles(fold: pd.DataFrame, patients: pd.DataFrame) -> dict[str, tuple[str, int, int]]:
    """Part, inner fold and label of everybody who is to be predicted in a fold."""
    label_of = dict(zip(patients["patient"], patients["label"], strict=True))
    rows = fold[["patient", "part", "inner"]].itertuples(index=False, name=None)
    roles = {
        patient: ("inner" if part == "train" else "validation", inner, label_of.get(patient, -1))
        for patient, part, inner in rows
    }
    test = patients.loc[patients["part"] == "test", "patient"]
    return {**roles, **dict.fromkeys(test, ("test", -1, -1))}


def _unlike(
    table: pd.DataFrame, roles: Mapping[str, tuple[str, int, int]]
) -> Iterator[tuple[str, str]]:
    """Where a table of predictions departs from the fold, by patient."""
    columns = ["patient", "part", "inner", "label"]
    seen: set[str] = set()
    for patient, *role in table[columns].itertuples(index=False, name=None):
        if patient in seen:
            yield patient, "predicts them twice"
        seen.add(patient)
        if patient not in roles:
            yield patient, "predicts them, who are not of this fold"
        elif tuple(role) != roles[patient]:
            yield patient, f"has them as {_role(*role)}, to be {_role(*roles[patient])}"
    for patient in roles:
        if patient not in seen:
            yield patient, "lacks them"


def _role(part: str, inner: int, label: int) -> str:
    where = f"{part} {inner}" if part == "inner" else part
    return f"{where} with label {label}"
