"""Set out-of-fold scores against board scores: which differ by more than chance?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from lymphokit.folders import is_regular
from lymphokit.leaderboard.compare import SCORE, SHARE, SIZE, public_size
from lymphokit.leaderboard.distributions import (
    LEVEL,
    Distribution,
    Group,
    LeaderboardError,
    outcomes,
)
from lymphokit.leaderboard.oof_expectation import OutOfFold
from lymphokit.progress import say
from lymphokit.submission.csv_files import read_submission
from lymphokit.submission.ledger import BOARD, read_ledger

GRID = np.linspace(0.5, 1.0, 26)  # out-of-fold scores at which a band is computed
_SHOWN = 500  # submissions in a table
_ROUNDING = 0.005  # a score with two decimals may be rounded out of the interval


@dataclass(frozen=True)
class Board:
    """Scores of the submissions of one cohort on one board, `public` or `private`.

    rows: one per submission, `file, blend, oof`, board `score` (NaN where not entered), ends
    `low, high` of the interval at LEVEL in which it is expected, and whether it is `outside`.
    band: these ends at each score of GRID, (len(GRID), 2).
    """

    cohort: str
    name: str
    n_patients: int
    rows: pd.DataFrame
    band: NDArray[np.float64]

    @property
    def scored(self) -> pd.DataFrame:
        """Rows with a board score."""
        return self.rows.dropna(subset="score")


def boards(ledger: Path, public: float) -> list[Board]:
    """Compare the out-of-fold scores in a ledger with both boards of each cohort.

    public: share of the test patients on the public board. The class mix and the effective sample
    size are the medians of the cohort, and recall and specificity are taken as equal. A cohort
    whose files were all deleted is left out, and named.
    Raises LeaderboardError for a ledger without scored submissions, or without any file of theirs.
    """
    table = read_ledger(ledger).dropna(subset=[SCORE, SHARE, SIZE])
    if table.empty:
        raise LeaderboardError(
            f"no submission in {ledger}: run `snakemake submission`, or name a ledger"
        )
    found, unknown = [], []
    for cohort, rows in table.groupby("cohort", sort=False):
        n = _test_size(rows, ledger)
        if n is None:
            unknown.append(f"{cohort}: no file of {', '.join(rows['file'])} is beside {ledger}")
            continue
        n_public = public_size(n, public)
        for column, n_patients in zip(BOARD, (n_public, n - n_public), strict=True):
            found.append(_board(str(cohort), rows, column, n_patients))
    findings = "\n".join(f"{one}, so the size of its test set is unknown" for one in unknown)
    if unknown and not found:
        raise LeaderboardError(f"{findings}; put one file back")
    if unknown:
        say(f"{findings}; left out")
    return found


def expected_score(
    score: float, tumoral_share: float, effective_size: float, n_patients: int
) -> Distribution:
    """Distribution of the board score on n_patients, given the out-of-fold score."""
    figures = OutOfFold(score, score, tumoral_share, effective_size)
    positive, negative = figures.tumoral_given_prediction()
    return Distribution.from_outcomes(
        (found.score((1, 0)), p * found.probabilities)
        for n, p in enumerate(figures.positive_rate().count_pmf(n_patients))
        for found in outcomes((Group(n, positive), Group(n_patients - n, negative)), n_patients)
    )


def board_summary(board: Board) -> str:
    """Conclude in one sentence whether the board scores lie within chance."""
    scored, name = board.scored, f"{board.cohort}, {board.name} board"
    if scored.empty:
        return (
            f"{name}: no score yet. `lymphokit submit`, or `lymphokit score FILE 0.857`, enters "
            f"one in the ledger's column board_{board.name}; the table shows what to expect."
        )
    n_outside = int(scored["outside"].sum())
    difference = float((scored["score"] - scored["oof"]).mean())
    shared = "; all have the same patients, so several outside are one event"
    return (
        f"{name}: {len(scored) - n_outside} of {len(scored)} scores lie within chance, on average "
        f"{abs(difference):.2f} {'below' if difference < 0 else 'above'} out of fold"
        f"{shared if n_outside > 1 else ''}."
    )


def board_table(board: Board) -> Table:
    """Tabulate out-of-fold score, expected interval and board score of each submission."""
    table = Table("submission", "out of fold", f"{LEVEL:.0%} interval", "score", "")
    table.title = f"{escape(board.cohort)}, {board.name} board of {board.n_patients} patients"
    if len(board.rows) > _SHOWN:
        table.caption = f"the last {_SHOWN} of {len(board.rows):,} submissions"
    for row in board.rows.tail(_SHOWN).to_dict("records"):
        table.add_row(
            escape(str(row["file"])),
            f"{row['oof']:.2f}",
            f"{row['low']:.2f} to {row['high']:.2f}",
            "" if pd.isna(row["score"]) else f"{row['score']:.2f}",
            "[bold red]outside[/]" if row["outside"] else "",
        )
    return table


def _board(cohort: str, table: pd.DataFrame, column: str, n_patients: int) -> Board:
    share = float(table[SHARE].median())
    size = float(table[SIZE].median())

    def intervals(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        # Three decimals move no end by more than the rounding of a board.
        different, places = np.unique(scores.round(3), return_inverse=True)
        found = (expected_score(float(score), share, size, n_patients) for score in different)
        return np.array([one.interval() for one in found])[places]

    rows = table[["file", "blend"]].assign(oof=table[SCORE], score=table[column])
    rows["low"], rows["high"] = intervals(rows["oof"].to_numpy()).T
    low, high = rows["low"] - _ROUNDING, rows["high"] + _ROUNDING
    rows["outside"] = (rows["score"] < low) | (rows["score"] > high)
    return Board(cohort, column.removeprefix("board_"), n_patients, rows, intervals(GRID))


def _test_size(table: pd.DataFrame, ledger: Path) -> int | None:
    """Number of patients of a submission of the cohort beside the ledger; None without a file."""
    for name in table["file"]:
        if is_regular(ledger.parent / name):
            return len(read_submission(ledger.parent / name).patients)
    return None
