"""Set out-of-fold scores against board scores: which differ by more than chance?"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.distributions import unseen_score_distribution
from lymphokit.leaderboard.out_of_fold import OutOfFold
from lymphokit.leaderboard.records import Options, public_size
from lymphokit.provenance import file_sha256
from lymphokit.submission.ledger import BOARD, read_ledger
from lymphokit.submission.read import read_submission

GRID = np.linspace(0.5, 1.0, 26)  # out-of-fold scores at which a band is computed
_ROUNDING = 0.005  # a score with two decimals may be rounded out of the interval


class BoardError(LymphokitError):
    """The ledger lacks what a comparison with the board needs."""


@dataclass(frozen=True)
class Band:
    """Intervals at LEVEL of the board score, on n_drawn patients, at each score of GRID.

    sampling, full (len(GRID), 2): low and high ends, with the out-of-fold score exact, and with
    its uncertainty.
    """

    n_drawn: int
    sampling: NDArray[np.float64]
    full: NDArray[np.float64]


@dataclass(frozen=True)
class Board:
    """Submissions of one cohort and their board scores.

    rows: `file, blend, oof`, the board scores `board_public, board_private` (NaN where not
    entered), and for each of these `_low, _high, _outside`. bands: by column of the board.
    """

    cohort: str
    n_patients: int
    rows: pd.DataFrame
    bands: dict[str, Band]

    @property
    def scored(self) -> list[str]:
        """Columns of the board in which a score was entered."""
        return [column for column in BOARD if self.rows[column].notna().any()]

    def scored_rows(self, column: str) -> pd.DataFrame:
        """Rows with a score in this column and an out-of-fold score."""
        return self.rows.dropna(subset=[column, "oof"])


def boards(ledger: Path, options: Options, *, test_patients: int | None = None) -> list[Board]:
    """Compare each cohort of the ledger, cohorts with most board scores first.

    The class mix and the effective sample size are those of the options or else the ledger's;
    recall and specificity are taken as equal. test_patients: size of the test set, by default
    that of a submission of the cohort beside the ledger.
    Raises BoardError for an empty ledger, or one that lacks any of these.
    """
    table = read_ledger(ledger)
    if table.empty:
        raise BoardError(f"no submission in {ledger}: run `snakemake submission`, or name a ledger")
    found = [
        _board(str(cohort), rows, ledger.parent, options, test_patients)
        for cohort, rows in table.groupby("cohort", sort=False)
    ]
    return sorted(found, key=lambda board: -int(board.rows[list(BOARD)].notna().to_numpy().sum()))


def score_interval(
    score: float, tumoral_share: float, effective_size: float, n_drawn: int, *, exact: bool
) -> tuple[float, float]:
    """Interval at LEVEL of the board score on n_drawn patients, given the out-of-fold score.

    exact: ignore the uncertainty of the out-of-fold score.
    """
    figures = OutOfFold(score, score, tumoral_share, effective_size)
    rate, (positive, negative) = figures.positive_rate(), figures.tumoral_given_prediction()
    if exact:
        rate, positive, negative = (share.as_known() for share in (rate, positive, negative))
    return unseen_score_distribution(rate, (positive, negative), n_drawn).interval()


def _board(
    cohort: str, table: pd.DataFrame, folder: Path, options: Options, test_patients: int | None
) -> Board:
    n = test_patients or _test_size(cohort, table, folder)
    n_public = public_size(n, options.public)
    share = options.tumoral_share
    if share is None:
        share = _median(cohort, table, "oof_tumoral_share", "--tumoral-share")
    size = options.effective_size
    if size is None:
        size = _median(cohort, table, "oof_effective_sample_size", "--oof-patients")
    rows = table[["file", "blend", *BOARD]].assign(oof=table["oof_balanced_accuracy"])
    bands = {}
    for column, n_drawn in zip(BOARD, (n_public, n - n_public), strict=True):
        sampling, full = (
            _intervals(GRID, share, size, n_drawn, exact=exact) for exact in (True, False)
        )
        bands[column] = Band(n_drawn, sampling, full)
        low, high = _intervals(rows["oof"].to_numpy(), share, size, n_drawn, exact=False).T
        rows[f"{column}_low"], rows[f"{column}_high"] = low, high
        outside = (rows[column] < low - _ROUNDING) | (rows[column] > high + _ROUNDING)
        rows[f"{column}_outside"] = outside
    return Board(cohort, n, rows.reset_index(drop=True), bands)


def _intervals(
    scores: NDArray[np.float64], share: float, size: float, n_drawn: int, *, exact: bool
) -> NDArray[np.float64]:
    """Low and high ends for each score, (n, 2); NaN for an unknown score."""
    return np.array(
        [
            (math.nan, math.nan)
            if math.isnan(score)
            else score_interval(score, share, size, n_drawn, exact=exact)
            for score in scores.tolist()
        ]
    )


def _median(cohort: str, table: pd.DataFrame, column: str, option: str) -> float:
    """Median of a column of the ledger, which rows of older versions lack."""
    median = float(table[column].median())
    if math.isnan(median):
        raise BoardError(f"the ledger has no {column} of {cohort}: give {option}")
    return median


def _test_size(cohort: str, table: pd.DataFrame, folder: Path) -> int:
    """Number of patients of a file beside the ledger that still has the recorded SHA-256."""
    for name, sha256 in zip(table["file"], table["sha256"], strict=True):
        path = folder / str(name)
        if path.is_file() and file_sha256(path) == sha256:
            return len(read_submission(path).patients)
    raise BoardError(
        f"no unchanged submission of {cohort} is beside the ledger, so the size of the test set "
        "is unknown: give --test-patients"
    )
