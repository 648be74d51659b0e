"""The table of rounds: what each round added, and how good its network was."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lymphokit.cohort.tables import read_table
from lymphokit.errors import BankError
from lymphokit.pseudo_labels.state import NONE_HELD_OUT, State, added_in_rounds, added_to

COLUMNS = [
    "fold",
    "round",
    "n_added",
    "n_patients",
    "confidence",
    "least_confidence",
    "labelled_accuracy",
    "auc",
    "cell_auc",
    "truly_abnormal",
]


def rounds_table(
    states: Iterable[State],
    cells: pd.DataFrame,
    folds: pd.DataFrame,
    *,
    places: Sequence[tuple[int, int]],
    is_abnormal: NDArray[np.bool_] | None,
) -> pd.DataFrame:
    """Describe every state in a row of COLUMNS, for the subset of all training patients.

    places: fold and round of each state; cells: cells.csv with each patient's label; folds:
    folds.csv; is_abnormal (n_cells,): the truth of simulated cells.
    """
    rows = []
    for (fold, number), state in zip(places, states, strict=True):
        validation = folds[(folds["fold"] == fold) & (folds["part"] == "validation")]["patient"]
        subset = int(np.flatnonzero(state.held_out == NONE_HELD_OUT)[0])
        row = describe_round(
            added_in_rounds(added_to(state.added, NONE_HELD_OUT)),
            state.log_odds[subset],
            cells,
            number=number,
            validation=cells["patient"].isin(validation).to_numpy(),
            is_abnormal=is_abnormal,
        )
        accuracy = float(state.labelled_accuracy[subset])
        rows.append({"fold": fold, "round": number, "labelled_accuracy": accuracy, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def describe_round(
    added: pd.DataFrame,
    log_odds: NDArray[np.float64],
    cells: pd.DataFrame,
    *,
    number: int,
    validation: NDArray[np.bool_],
    is_abnormal: NDArray[np.bool_] | None,
) -> dict[str, float]:
    """Describe the cells added up to round `number`, and the network trained on them.

    added: round, label, patient, cell, probability of the cells added so far; log_odds (n_cells,)
    of the network; cells: one row a cell, with patient and label; validation (n_cells,): which
    cells belong to validation patients.

    Returns:
      n_added, n_patients: cells added as positive so far, and the number of their patients;
      confidence, least_confidence: median and lowest P(1) of this round's, NaN in round 0;
      auc: of the share of cells called positive, over validation patients;
      cell_auc: of single cells of validation patients, abnormal or not;
      truly_abnormal: share of abnormal cells among all cells added as positive.
    """
    positive = added[added["label"] == 1]
    latest = positive.loc[positive["round"] == number, "probability"]
    shares = (
        cells.assign(called=log_odds > 0)[validation]
        .groupby("patient")
        .agg(label=("label", "first"), share=("called", "mean"))
    )
    nothing = float("nan")
    return {
        "n_added": len(positive),
        "n_patients": positive["patient"].nunique(),
        "confidence": latest.median() if number else nothing,
        "least_confidence": latest.min() if number else nothing,
        "auc": float(roc_auc_score(shares["label"], shares["share"])),
        "cell_auc": nothing
        if is_abnormal is None
        else float(roc_auc_score(is_abnormal[validation], log_odds[validation])),
        "truly_abnormal": nothing
        if is_abnormal is None or not len(positive)
        else float(is_abnormal[positive["cell"].to_numpy(np.int64)].mean()),
    }


def truth_of(truth: Path, cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Which cells of a simulated cohort are abnormal, in the order of cells.csv: (n_cells,).

    truth: the folder that `simulate` wrote. Raises BankError where a cell is not listed there.
    """
    known = read_table(truth / "cells.csv")
    kinds = cells.merge(known, on=["patient", "image"], how="left", validate="one_to_one")["kind"]
    if kinds.isna().any():
        raise BankError(f"{truth}/cells.csv is of other cells: run simulate again")
    return (kinds == "abnormal").to_numpy()


def summary(table: pd.DataFrame) -> str:
    """Summarise the first and the last round as text, with means over the folds."""
    mean = table.groupby("round").mean()
    first, last, n_rounds = mean.iloc[0], mean.iloc[-1], mean.index[-1]
    forgetting = (
        "started from cells labelled as their patient: accuracy on labelled cells is not measured"
        if np.isnan(first["labelled_accuracy"])
        else f"accuracy on held-out labelled cells: {first['labelled_accuracy']:.2f} before the "
        f"first round, {last['labelled_accuracy']:.2f} after the last"
    )
    lines = [
        f"{int(last['n_added'])} cells a label added in {n_rounds} rounds, of "
        f"{last['n_patients']:.0f} tumoral patients in the mean of {table['fold'].nunique()} folds",
        forgetting,
        f"AUC of the share of cells called positive, validation patients: {first['auc']:.3f}, then "
        f"{last['auc']:.3f}",
    ]
    least = table.loc[table["round"] == n_rounds, "truly_abnormal"].min()
    if not np.isnan(least):
        lines += [
            f"AUC of single cells of validation patients: {first['cell_auc']:.3f}, then "
            f"{last['cell_auc']:.3f}",
            f"of the cells added as positive, {last['truly_abnormal']:.3f} truly are abnormal "
            f"({least:.3f} in the worst fold)",
        ]
    return "\n".join(lines)
