"""Out-of-fold scores against the board's: which of them are further apart than noise makes them."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.agreement import LEVEL, OutOfFold
from lymphokit.leaderboard.assumed import public_size
from lymphokit.leaderboard.chances import any_board_score
from lymphokit.leaderboard.known import completed
from lymphokit.leaderboard.read import read_submission
from lymphokit.provenance import file_sha256
from lymphokit.submission.ledger import BOARD, read_ledger

GRID = 26  # out-of-fold scores, 0.5 to 1, at which a band is worked out
_SLACK = 0.005  # a score on the edge of the band, written with two decimals, is inside


class BoardError(LymphokitError):
    """Out of fold and board cannot be set against each other."""


@dataclass(frozen=True)
class Band:
    """Board scores to expect on one part of one cohort's test.

    at (GRID,): out-of-fold balanced accuracies; noise and full (GRID, 2): low and high ends of
    what LEVEL of boards show, by chance alone and with the out-of-fold score as uncertain as it is.
    """

    drawn: int
    at: NDArray[np.float64]
    noise: NDArray[np.float64]
    full: NDArray[np.float64]


@dataclass(frozen=True)
class Board:
    """One cohort's submissions against the boards.

    rows: `file, blend, oof`, the board's `board_public, board_private` (NaN where not entered), and
    for each of them `_low, _high, _outside`. bands: by column of the board.
    """

    cohort: str
    n_patients: int
    figures: OutOfFold
    rows: pd.DataFrame
    bands: dict[str, Band]


def boards(ledger: Path, *, public: float, test_patients: int | None) -> list[Board]:
    """Every cohort of the ledger, those first that have board scores.

    The size of a test is that of any of its files that still lies beside the ledger; else give
    test_patients. The band takes recall and specificity as equal, the share tumoral and the number
    of patients behind the out-of-fold scores as the ledger's rows have them.
    Raises BoardError for a ledger that is empty, or of which no test's size is known.
    """
    table = read_ledger(ledger)
    if table.empty:
        raise BoardError(f"no submission in {ledger}: run `snakemake submission`, or name a ledger")
    made = [
        _board(str(cohort), rows, ledger.parent, public, test_patients)
        for cohort, rows in table.groupby("cohort", sort=False)
    ]
    return sorted(made, key=lambda board: -int(board.rows[list(BOARD)].notna().to_numpy().sum()))


def expected_range(
    score: float, figures: OutOfFold, drawn: int, *, noise_alone: bool
) -> tuple[float, float]:
    """What LEVEL of boards show of a file with this out-of-fold score, on so many patients."""
    of = OutOfFold(score, score, figures.tumoral_share, figures.patients)
    called, tumoral = of.called(), of.tumoral_of()
    if noise_alone:
        called, tumoral = called.known(), (tumoral[0].known(), tumoral[1].known())
    return any_board_score(called, tumoral, drawn).interval(LEVEL)


def _board(
    cohort: str, table: pd.DataFrame, folder: Path, public: float, test_patients: int | None
) -> Board:
    n = test_patients or _test_size(cohort, table, folder)
    n_public = public_size(n, public)
    figures = completed(OutOfFold(math.nan, math.nan, math.nan, math.nan), table)
    if math.isnan(figures.tumoral_share) or math.isnan(figures.patients):
        raise BoardError(
            f"the out-of-fold figures of {cohort} in the ledger leave the class mix or the number "
            "of patients open (recall, precision or the interval is missing or perfect)"
        )
    rows = table[["file", "blend", *BOARD]].assign(oof=table["oof_balanced_accuracy"])
    bands = {}
    for column, drawn in zip(BOARD, (n_public, n - n_public), strict=True):
        bands[column] = _band(figures, drawn)
        ends = np.array([_range_or_none(score, figures, drawn) for score in rows["oof"]])
        rows[f"{column}_low"], rows[f"{column}_high"] = ends[:, 0], ends[:, 1]
        below, above = rows[column] < ends[:, 0] - _SLACK, rows[column] > ends[:, 1] + _SLACK
        rows[f"{column}_outside"] = below | above
    return Board(cohort, n, figures, rows.reset_index(drop=True), bands)


def _range_or_none(score: float, figures: OutOfFold, drawn: int) -> tuple[float, float]:
    if math.isnan(score):
        return math.nan, math.nan
    return expected_range(score, figures, drawn, noise_alone=False)


def _band(figures: OutOfFold, drawn: int) -> Band:
    at = np.linspace(0.5, 1.0, GRID)
    ends = [
        np.array([expected_range(float(x), figures, drawn, noise_alone=alone) for x in at])
        for alone in (True, False)
    ]
    return Band(drawn, at, ends[0], ends[1])


def _test_size(cohort: str, table: pd.DataFrame, folder: Path) -> int:
    """The number of patients of any file beside the ledger that is as the ledger knows it."""
    for name, sha256 in zip(table["file"], table["sha256"], strict=True):
        path = folder / str(name)
        if path.is_file() and file_sha256(path) == sha256:
            return len(read_submission(path).patients)
    raise BoardError(
        f"no submission of {cohort} lies beside the ledger as it was written, so the size of the "
        "test is not known: give --test-patients"
    )
