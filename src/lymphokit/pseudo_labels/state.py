"""The state of a fold's self-training after a round: the cells added, and the networks' log odds.

No network is stored: each round trains from the pretrained weights, and the next round needs only
the log odds that this round's networks give to all cells.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.arrays import ArrayFileError, read_arrays
from lymphokit.cohort.tables import read_table, write_table
from lymphokit.pseudo_labels.selection import Cells, Floats

NONE_HELD_OUT = -1  # the training subset of all training patients
ARRAYS = ("held_out", "log_odds", "labelled_accuracy")  # of scores.npz
ADDED_COLUMNS = {  # of added.csv: column and type
    "held_out": np.int64,
    "round": np.int64,
    "label": np.int64,
    "patient": str,
    "image": str,
    "cell": np.int64,
    "probability": np.float64,
}


@dataclass(frozen=True)
class State:
    """A fold after a round, for each of its training subsets.

    added: a row, with ADDED_COLUMNS, per cell added so far to a training subset; of round 0, with
    no probability, where it drew cells instead of learning from labelled ones.
    held_out (n_subsets,): the inner fold that each subset leaves out, NONE_HELD_OUT for none.
    log_odds (n_subsets, n_cells): of label 1, from the network trained on each subset.
    labelled_accuracy (n_subsets,): of these networks on the labelled cells' validation part, NaN
    without labelled cells.
    """

    added: pd.DataFrame
    held_out: NDArray[np.int64]
    log_odds: Floats
    labelled_accuracy: Floats


def no_cells_added() -> pd.DataFrame:
    """An empty table with ADDED_COLUMNS."""
    return pd.DataFrame(columns=list(ADDED_COLUMNS)).astype(ADDED_COLUMNS)


def added_to(added: pd.DataFrame, held_out: int) -> pd.DataFrame:
    """The rows of one training subset."""
    return added[added["held_out"] == held_out]


def added_in_rounds(added: pd.DataFrame) -> pd.DataFrame:
    """The rows of cells that a network selected: those of round 1 and later."""
    return added[added["round"] > 0]


def drawn_in_round_zero(added: pd.DataFrame) -> pd.DataFrame:
    """The rows of cells that round 0 drew and labelled as their patient."""
    return added[added["round"] == 0]


def cells_and_labels(added: pd.DataFrame) -> tuple[Cells, NDArray[np.int64]]:
    """Positions in cells.csv, and pseudo-labels, of added cells."""
    return added["cell"].to_numpy(np.int64), added["label"].to_numpy(np.int64)


def write_state(state: State, added: Path, scores: Path) -> None:
    """Write the added cells as CSV, and everything else as .npz."""
    write_table(state.added, added)
    np.savez(scores, **{name: getattr(state, name) for name in ARRAYS})


def read_state(added: Path, scores: Path) -> State:
    """Read what `write_state` wrote, bit for bit.

    Raises ArrayFileError where `scores` holds anything else.
    """
    # A CSV without rows has no types: astype restores them.
    table = read_table(added, ADDED_COLUMNS, may_lack="probability").astype(ADDED_COLUMNS)
    arrays = read_arrays(scores)
    if arrays.keys() != set(ARRAYS) or not _are_of_a_state(**arrays):
        raise ArrayFileError(f"{scores} holds other arrays: delete it, and the next run makes it")
    return State(table, **arrays)


def _are_of_a_state(
    held_out: NDArray[Any], log_odds: NDArray[Any], labelled_accuracy: NDArray[Any]
) -> bool:
    """Check the shapes and types of `State`, and that all log odds are finite."""
    return (
        (held_out.ndim, log_odds.ndim) == (1, 2)
        and held_out.shape == labelled_accuracy.shape == log_odds.shape[:1]
        and (held_out.dtype.kind, log_odds.dtype.kind, labelled_accuracy.dtype.kind) == tuple("iff")
        and bool(np.isfinite(log_odds).all())
    )


def summarise(state: State) -> list[dict[str, Any]]:
    """Summarise each training subset as plain data, for record.json.

    patients: whose cells any network of the subset was trained on. drawn: cells of round 0,
    labelled as their patient. unlikely: cells added as label 1 with P(1) of 0.5 or less, because no
    others were left. labelled_accuracy: None where there are no labelled cells to measure it on.
    """
    subsets = []
    for held_out, accuracy in zip(
        state.held_out.tolist(), state.labelled_accuracy.tolist(), strict=True
    ):
        all_cells = added_to(state.added, held_out)
        added = added_in_rounds(all_cells)
        positive = added[added["label"] == 1]
        subsets.append(
            {
                "held_out": held_out,
                "patients": sorted(set(all_cells["patient"])),
                "drawn": len(all_cells) - len(added),
                "positive": len(positive),
                "negative": len(added) - len(positive),
                "unlikely": int((positive["probability"] <= 0.5).sum()),
                "labelled_accuracy": None if np.isnan(accuracy) else accuracy,
            }
        )
    return subsets


def inner_folds_of(cells: pd.DataFrame, fold: pd.DataFrame) -> NDArray[np.int64]:
    """The inner fold of each cell's patient, NONE_HELD_OUT outside the training part: (n_cells,).

    cells, fold: the rows of cells.csv and, for one fold, of folds.csv.
    """
    inner = fold.set_index("patient")["inner"]
    return cells["patient"].map(inner).fillna(NONE_HELD_OUT).to_numpy(np.int64)


def out_of_fold_log_odds(state: State, inner_of: NDArray[np.int64]) -> Floats:
    """Log odds of each cell from a network whose training subset lacks its patient: (n_cells,).

    inner_of (n_cells,): see `inner_folds_of`.
    """
    row_of = {held_out: row for row, held_out in enumerate(state.held_out.tolist())}
    rows = np.array([row_of[inner] for inner in inner_of.tolist()])
    return np.asarray(state.log_odds[rows, np.arange(len(inner_of))])
