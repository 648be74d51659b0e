"""Which patients' labels went into pseudo-labelled cells, and that none was to be predicted.

Checked from what the rounds wrote and from the folds, not by the code that chose the cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from lymphokit.evaluation.out_of_fold import LeakError
from lymphokit.pseudo_labels.rounds import WHOLE


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
) -> dict[str, Any]:
    """Check what one fold's chains added, and sum it up as plain data.

    added: chain, round, label, patient, cell; fold: the fold's rows of folds.csv; patients and
    cells: patients.csv and cells.csv; records: what the steps of the chains wrote about
    themselves. sizes: cells of each label that each round was to add; exact: whether it had to
    add so many (there is no floor of confidence). stain_patients: whose images gave the stain.
    Raises LeakError, naming chain, round and patient, where a label came from a patient of the
    validation part, of the test set, of the inner fold that the chain holds out, or differs from
    the patient's own; where a cell is another patient's, or was added twice; where a round added
    more or other than its size; where a step has seen patients that no added cell accounts for;
    where the stain is not of training patients alone.
    """
    training = fold.loc[fold["part"] == "train"]
    inner_of: dict[str, int] = dict(zip(training["patient"], training["inner"], strict=True))
    faults = [
        *_foreign(added, fold, inner_of, patients),
        *_wrong_owners(added, cells),
        *_wrong_labels(added, patients),
        *_twice(added),
        *_wrong_sizes(added, inner_of, sizes, exact=exact),
        *_unaccounted(added, records),
        *_stain(stain_patients, inner_of),
    ]
    if faults:
        shown = [*faults[:10], *([f"... and {len(faults) - 10} more"] if len(faults) > 10 else [])]
        number = fold["fold"].iloc[0]
        raise LeakError(
            f"fold {number}: pseudo-labels of a wrong lineage\n"
            + "\n".join(f"  {fault}" for fault in shown)
            + "\nrun the rounds again: snakemake -R round_zero pseudo_label"
        )
    sources = added.groupby("chain")["patient"].agg(lambda names: sorted(set(names)))
    return {
        "fold": int(fold["fold"].iloc[0]),
        "label_sources": {str(chain): names for chain, names in sources.items()},
        "cells": {str(chain): int(n) for chain, n in added.groupby("chain").size().items()},
    }


def _foreign(
    added: pd.DataFrame, fold: pd.DataFrame, inner_of: Mapping[str, int], patients: pd.DataFrame
) -> list[str]:
    """Labels from patients that the chain must not know."""
    part_of = {
        name: "in no part of the fold" if part == "train" else "a test patient"
        for name, part in zip(patients["patient"], patients["part"], strict=True)
    }
    part_of |= dict.fromkeys(fold.loc[fold["part"] != "train", "patient"], "a validation patient")
    faults = []
    steps = added[["chain", "round", "patient"]].drop_duplicates()
    for chain, number, patient in steps.itertuples(index=False, name=None):
        where = f"chain {chain}, round {number}: {patient}"
        if patient not in inner_of:
            faults.append(f"{where} is {part_of.get(patient, 'in no table')}")
        elif chain != WHOLE and inner_of[patient] == chain:
            faults.append(f"{where} is of the inner fold held out")
    return faults


def _wrong_owners(added: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    owner = added["cell"].map(cells.set_index("cell")["patient"])
    wrong = added.assign(owner=owner)[owner != added["patient"]]
    return [
        f"chain {row.chain}, round {row.round}: cell {row.cell} is of {row.owner}, "
        f"not of {row.patient}"
        for row in wrong.itertuples()
    ]


def _wrong_labels(added: pd.DataFrame, patients: pd.DataFrame) -> list[str]:
    label_of = patients.set_index("patient")["label"]
    wrong = added[added["patient"].map(label_of) != added["label"]]
    return [
        f"chain {row.chain}, round {row.round}: {row.patient} gave a cell of label {row.label}, "
        "not the patient's own"
        for row in wrong.itertuples()
    ]


def _twice(added: pd.DataFrame) -> list[str]:
    doubled = added[added.duplicated(["chain", "cell"])]
    return [
        f"chain {row.chain}, round {row.round}: cell {row.cell} of {row.patient} was added before"
        for row in doubled.itertuples()
    ]


def _wrong_sizes(
    added: pd.DataFrame, inner_of: Mapping[str, int], sizes: Sequence[int], *, exact: bool
) -> list[str]:
    found = added.groupby(["chain", "round", "label"]).size()
    faults = []
    for chain in (WHOLE, *sorted(set(inner_of.values()))):
        for number, size in enumerate(sizes, start=1):
            n = [int(found.get((chain, number, label), 0)) for label in (0, 1)]
            if n[0] != n[1] or n[1] > size or (exact and n[1] != size):
                faults.append(
                    f"chain {chain}, round {number}: added {n[1]} cells as 1 and {n[0]} as 0, "
                    f"to be {size} each"
                )
    beyond = added[~added["round"].isin(range(1, len(sizes) + 1))]
    return faults + [f"round {number} is not of the schedule" for number in set(beyond["round"])]


def _unaccounted(added: pd.DataFrame, records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Patients that a step says its networks saw, and that are of none of the chain's cells."""
    known = {chain: set(names) for chain, names in added.groupby("chain")["patient"]}
    return [
        f"chain {chain['chain']}, {record['phase']}: saw {name}, of whom it added no cell"
        for record in records
        for chain in record["chains"]
        for name in sorted(set(chain["seen"]) - known.get(chain["chain"], set()))
    ]


def _stain(stain_patients: Iterable[str], inner_of: Mapping[str, int]) -> list[str]:
    strangers = sorted(set(stain_patients) - set(inner_of))
    return [f"the stain was measured on {name}, no training patient" for name in strangers]
