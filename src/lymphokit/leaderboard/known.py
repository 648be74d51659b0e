"""What the ledger knows of a file: its out-of-fold figures and the board's scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.agreement import OutOfFold, of_row
from lymphokit.leaderboard.read import Submission
from lymphokit.submission.ledger import read_ledger

LEDGER = "ledger.csv"
USUAL = Path("submissions") / LEDGER


class UnknownLedgerError(LymphokitError):
    """A ledger was named that is not there."""


@dataclass(frozen=True)
class Known:
    """Out-of-fold figures, None where there are none, and the board's scores, NaN likewise."""

    figures: OutOfFold | None = None
    public: float = math.nan
    private: float = math.nan


def look_up(files: Sequence[Submission], ledger: Path | None) -> tuple[list[Known], list[str]]:
    """What is known of each file, and a sentence on every file that is not as the ledger has it.

    A file is found by its name and SHA-256 together: the same name with another content is another
    file, and two blends may well write the same content. ledger: None for the one beside each
    file, or else `submissions/ledger.csv`.
    Raises UnknownLedgerError for a ledger that was named and is not there, LedgerError for a
    damaged one.
    """
    if ledger is not None and not ledger.is_file():
        raise UnknownLedgerError(f"no ledger {ledger}; give the path of one, or leave --ledger out")
    tables: dict[Path, pd.DataFrame] = {}
    known, notes = [], []
    for file in files:
        path = ledger or _nearest(file)
        if path not in tables:
            tables[path] = read_ledger(path)
        found, note = _find(file, tables[path], path)
        known.append(found)
        notes += [note] if note else []
    return known, notes


def completed(figures: OutOfFold, cohort: pd.DataFrame) -> OutOfFold:
    """The figures, what does not follow from their own row taken from the cohort's other rows."""
    others = [of_row(row) for _, row in cohort.iterrows()]
    shares = pd.Series([other.tumoral_share for other in others], dtype=float)
    patients = pd.Series([other.patients for other in others], dtype=float)
    share, number = figures.tumoral_share, figures.patients
    return replace(
        figures,
        tumoral_share=shares.median() if math.isnan(share) else share,
        patients=patients.median() if math.isnan(number) else number,
    )


def _nearest(file: Submission) -> Path:
    """The ledger beside the file; that of this folder's submissions where there is none."""
    beside = file.path.parent / LEDGER
    return beside if beside.is_file() else USUAL


def _find(file: Submission, table: pd.DataFrame, path: Path) -> tuple[Known, str]:
    """What the ledger says of one file; where that is nothing, why."""
    same_name, same_content = table["file"] == file.path.name, table["sha256"] == file.sha256
    rows = table.loc[same_name & same_content]
    if len(rows):
        row = rows.iloc[-1]
        figures = completed(of_row(row), table.loc[table["cohort"] == row["cohort"]])
        unusable = math.isnan(figures.balanced_accuracy)
        boards = float(row["board_public"]), float(row["board_private"])
        known = Known(None if unusable else figures, *boards)
        return known, f"{path} has no out-of-fold score of {file.path.name}" if unusable else ""
    if same_name.any():
        return Known(), (
            f"{file.path.name} is not the file that {path} knows by this name: it was changed "
            "since, and the out-of-fold score there is not its own"
        )
    if same_content.any():
        other = table.loc[same_content, "file"].iloc[-1]
        return Known(), f"{path} knows the content of {file.path.name} as {other}: compare that one"
    return Known(), f"{path} knows nothing of {file.path.name}" if len(table) else ""
