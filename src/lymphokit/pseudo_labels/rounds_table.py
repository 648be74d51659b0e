"""What the rounds of pseudo-labelling did, round by round: the table behind their figures."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lymphokit.cohort.tables import read_table
from lymphokit.errors import BankError
from lymphokit.pseudo_labels.rounds import WHOLE, State

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
    """A row for every state, about the chain on all training patients: COLUMNS.

    places: fold and round of each state; cells: cells.csv with each patient's label; folds:
    folds.csv; is_abnormal (n_cells,): of simulated cells the truth.
    """
    rows = []
    for (fold, number), state in zip(places, states, strict=True):
        validation = folds[(folds["fold"] == fold) & (folds["part"] == "validation")]["patient"]
        whole = int(np.flatnonzero(state.chains == WHOLE)[0])
        row = describe_round(
            state.added[state.added["chain"] == WHOLE],
            state.log_odds[whole],
            cells,
            number=number,
            validation=cells["patient"].isin(validation).to_numpy(),
            is_abnormal=is_abnormal,
        )
        accuracy = float(state.labelled_accuracy[whole])
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
    """What a chain had added, and what its network was worth, after round `number`.

    added: what the chain added up to this round (round, label, patient, cell, probability);
    log_odds (n_cells,) of the network trained on it; cells: one row a cell, with patient and
    label; validation (n_cells,): whose patients the chain is scored on.
    n_added, n_patients: cells added as positive so far, and of how many patients. confidence,
    least_confidence: median and lowest P(1) of those of this round, NaN in round 0. auc: of the
    share of cells called positive, over validation patients; cell_auc: of single cells of
    validation patients, abnormal or not; truly_abnormal: share of all cells added as positive.
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

    truth: the folder that `simulate` wrote. Raises BankError where it does not know a cell.
    """
    known = read_table(truth / "cells.csv")
    kinds = cells.merge(known, on=["patient", "image"], how="left", validate="one_to_one")["kind"]
    if kinds.isna().any():
        raise BankError(f"{truth}/cells.csv is of other cells: run simulate again")
    return (kinds == "abnormal").to_numpy()


def summary(table: pd.DataFrame) -> str:
    """The first and the last round in words, means over the folds."""
    mean = table.groupby("round").mean()
    first, last, n_rounds = mean.iloc[0], mean.iloc[-1], mean.index[-1]
    lines = [
        f"{int(last['n_added'])} cells a label added in {n_rounds} rounds, of "
        f"{last['n_patients']:.0f} tumoral patients in the mean of {table['fold'].nunique()} folds",
        f"accuracy on held-out labelled cells: {first['labelled_accuracy']:.2f} before the first "
        f"round, {last['labelled_accuracy']:.2f} after the last",
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
