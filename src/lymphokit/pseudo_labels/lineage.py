"""Lineage of pseudo-labels: which patients' labels went into them, and that no leak is among them.

Checked from the files of the rounds and from the folds, independently of the code that selected
the cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lymphokit.evaluation.out_of_fold import LeakError
from lymphokit.pseudo_labels.state import NONE_HELD_OUT

_MOST_SHOWN = 10


def check_lineage(
    added: pd.DataFrame,
    fold: pd.DataFrame,
    patients: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    records: Iterable[Mapping[str, Any]],
    sizes: Sequence[int],
    exact: bool,
    stain_patients: Iterable[str],
    drawn: int | None = None,
) -> dict[str, Any]:
    """Check the cells added in one fold, and summarise them as plain data.

    added: held_out, round, label, patient, cell; fold: the fold's rows of folds.csv; patients,
    cells: patients.csv and cells.csv; records: record.json of each round.
    sizes: cells of each label that each round adds; exact: whether every round must add that many
    (no floor of confidence). stain_patients: the patients whose images gave the stain. drawn: most
    cells of each label that round 0 drew, None where the rounds start from labelled cells.
    Raises LeakError, naming training subset, round and patient, where
      - a label comes from a patient outside the training subset, or is not the patient's label,
      - a cell belongs to another patient, or was added twice,
      - a round added more cells than its size, or (exact) fewer, and likewise round 0 drew cells,
      - a record lists patients of whom no cell was added,
      - the stain was not measured on training patients alone.
    """
    training = fold.loc[fold["part"] == "train"]
    inner_of: dict[str, int] = dict(zip(training["patient"], training["inner"], strict=True))
    faults = [
        *_foreign_patients(added, fold, inner_of, patients),
        *_wrong_patients(added, cells),
        *_wrong_labels(added, patients),
        *_repeated_cells(added),
        *_wrong_sizes(added, inner_of, sizes, exact=exact),
        *_wrong_draws(added, inner_of, drawn),
        *_unexplained_patients(added, records),
        *_foreign_stain(stain_patients, inner_of),
    ]
    number = int(fold["fold"].iloc[0])
    if faults:
        raise LeakError(_describe(number, faults))
    by_subset = added.groupby("held_out")
    sources = by_subset["patient"].agg(lambda names: sorted(set(names)))
    return {
        "fold": number,
        "start": "labelled_cells" if drawn is None else "bags",
        "label_sources": {str(held_out): names for held_out, names in sources.items()},
        "cells": {str(held_out): int(n) for held_out, n in by_subset.size().items()},
    }


def _describe(fold: int, faults: Sequence[str]) -> str:
    n_more = len(faults) - _MOST_SHOWN
    more = [f"... and {n_more} more"] if n_more > 0 else []
    return (
        f"fold {fold}: pseudo-labels of a wrong lineage\n"
        + "\n".join(f"  {fault}" for fault in [*faults[:_MOST_SHOWN], *more])
        + "\nrun the rounds again: snakemake -R round_zero pseudo_label"
    )


def _where(held_out: object, phase: object) -> str:
    """Name a training subset and a round of it, or another phase."""
    whole = held_out == NONE_HELD_OUT
    subset = "all training patients" if whole else f"without inner fold {held_out}"
    return f"{subset}, {phase}" if isinstance(phase, str) else f"{subset}, round {phase}"


def _foreign_patients(
    added: pd.DataFrame, fold: pd.DataFrame, inner_of: Mapping[str, int], patients: pd.DataFrame
) -> list[str]:
    """Labels of patients outside the training subset."""
    part_of = {
        name: "in no part of the fold" if part == "train" else "a test patient"
        for name, part in zip(patients["patient"], patients["part"], strict=True)
    }
    part_of |= dict.fromkeys(fold.loc[fold["part"] != "train", "patient"], "a validation patient")
    faults = []
    rows = added[["held_out", "round", "patient"]].drop_duplicates()
    for held_out, number, patient in rows.itertuples(index=False, name=None):
        where = f"{_where(held_out, number)}: {patient}"
        if patient not in inner_of:
            faults.append(f"{where} is {part_of.get(patient, 'in no table')}")
        elif held_out != NONE_HELD_OUT and inner_of[patient] == held_out:
            faults.append(f"{where} is of the inner fold held out")
    return faults


def _wrong_patients(added: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Cells that belong to another patient than added.csv lists."""
    true_patient = added["cell"].map(cells.set_index("cell")["patient"])
    wrong = added.assign(true_patient=true_patient)[true_patient != added["patient"]]
    return [
        f"{_where(row.held_out, row.round)}: cell {row.cell} is of {row.true_patient}, "
        f"not of {row.patient}"
        for row in wrong.itertuples()
    ]


def _wrong_labels(added: pd.DataFrame, patients: pd.DataFrame) -> list[str]:
    label_of = patients.set_index("patient")["label"]
    wrong = added[added["patient"].map(label_of) != added["label"]]
    return [
        f"{_where(row.held_out, row.round)}: a cell of {row.patient} has label "
        f"{row.label}, which is not the patient's label"
        for row in wrong.itertuples()
    ]


def _repeated_cells(added: pd.DataFrame) -> list[str]:
    repeated = added[added.duplicated(["held_out", "cell"])]
    return [
        f"{_where(row.held_out, row.round)}: cell {row.cell} of {row.patient} was added before"
        for row in repeated.itertuples()
    ]


def _wrong_sizes(
    added: pd.DataFrame, inner_of: Mapping[str, int], sizes: Sequence[int], *, exact: bool
) -> list[str]:
    found = added.groupby(["held_out", "round", "label"]).size()
    faults = []
    for held_out in (NONE_HELD_OUT, *sorted(set(inner_of.values()))):
        for number, size in enumerate(sizes, start=1):
            n = [int(found.get((held_out, number, label), 0)) for label in (0, 1)]
            if n[0] != n[1] or n[1] > size or (exact and n[1] != size):
                faults.append(
                    f"{_where(held_out, number)}: added {n[1]} cells as 1 and {n[0]} as "
                    f"0, expected {size} each"
                )
    beyond = added[~added["round"].isin(range(len(sizes) + 1))]
    return faults + [f"round {number} is not configured" for number in set(beyond["round"])]


def _wrong_draws(added: pd.DataFrame, inner_of: Mapping[str, int], drawn: int | None) -> list[str]:
    """Round 0 draws as many cells of each label, or none where it has labelled cells."""
    found = added[added["round"] == 0].groupby(["held_out", "label"]).size()
    faults = []
    for held_out in (NONE_HELD_OUT, *sorted(set(inner_of.values()))):
        n = [int(found.get((held_out, label), 0)) for label in (0, 1)]
        least, most = (0, 0) if drawn is None else (1, drawn)
        if n[0] != n[1] or not least <= n[1] <= most:
            faults.append(
                f"{_where(held_out, 0)}: drew {n[1]} cells as 1 and {n[0]} as 0, "
                f"expected {least} to {most} each"
            )
    return faults


def _unexplained_patients(added: pd.DataFrame, records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Patients that a record lists as trained on, and of whom no cell was added."""
    patients_of = {held_out: set(names) for held_out, names in added.groupby("held_out")["patient"]}
    return [
        f"{_where(subset['held_out'], record['phase'])}: trained on {name}, of whom no cell "
        "was added"
        for record in records
        for subset in record["subsets"]
        for name in sorted(set(subset["patients"]) - patients_of.get(subset["held_out"], set()))
    ]


def _foreign_stain(stain_patients: Iterable[str], inner_of: Mapping[str, int]) -> list[str]:
    foreign = sorted(set(stain_patients) - set(inner_of))
    return [f"the stain was measured on {name}, no training patient" for name in foreign]
