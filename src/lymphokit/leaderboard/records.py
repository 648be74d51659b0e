"""What is known about the compared files: from the command line, the ledger, or by assumption."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.out_of_fold import OutOfFold
from lymphokit.submission.ledger import read_ledger
from lymphokit.submission.read import Submission

LEDGER = "ledger.csv"
DEFAULT_LEDGER = Path("submissions") / LEDGER
FIGURES = ["recall", "specificity", "tumoral_share", "effective_size", "public", "private"]
DEFAULT_RATE = 0.75  # recall and specificity where no file has figures; equal, so they cancel


class CompareError(LymphokitError):
    """The options of a comparison do not match the files."""


class UnknownLedgerError(LymphokitError):
    """The ledger given does not exist."""


@dataclass(frozen=True)
class Options:
    """Values of the command line; empty or None where not given.

    public: share of the test patients on the public board. The others replace figures of the
    ledger: recall, specificity, one per file or one for all; effective_size, the number of
    patients behind them; tumoral_share, among the training patients.
    """

    public: float
    recall: tuple[float, ...] = ()
    specificity: tuple[float, ...] = ()
    effective_size: float | None = None
    tumoral_share: float | None = None
    ledger: Path | None = None


class Note(NamedTuple):
    """A remark on the source of a figure: a key of `text.NOTES`, and the values to fill in."""

    kind: str
    values: dict[str, object]


@dataclass(frozen=True)
class Evidence:
    """Figures of the files, in their order.

    table: one row per file, indexed by its letter, with the columns FIGURES, NaN where unknown;
    `public` and `private` are board scores. figures: completed by assumptions, which `notes`
    state. tumoral_share: expected among the test patients.
    """

    table: pd.DataFrame
    figures: list[OutOfFold]
    tumoral_share: float
    notes: list[Note]


def letter(place: int) -> str:
    """Name a file in tables and figures: A to Z, then A2 to Z2 and so on."""
    turn, which = divmod(place, 26)
    return chr(ord("A") + which) + (str(turn + 1) if turn else "")


def public_size(n: int, share: float) -> int:
    """Number of patients on the public board.

    Raises CompareError where either board has no patient.
    """
    n_public = round(n * share)
    if not 0 < n_public < n:
        raise CompareError(
            f"a public part of {share:g} of {n} patients leaves a board empty; give --public, a "
            "share between 0 and 1, as on the competition's page"
        )
    return n_public


def gather(files: Sequence[Submission], options: Options) -> Evidence:
    """Collect what is known about the files; options take precedence over the ledger.

    Raises CompareError for options that do not match the files, and as `look_up`.
    """
    n = len(files[0].patients)
    table, notes = look_up(files, options.ledger)
    if options.recall or options.specificity:
        table["recall"] = _one_per_file(options.recall, len(files))
        table["specificity"] = _one_per_file(options.specificity, len(files))
    known = table["recall"].notna()
    if options.effective_size is not None:
        table["effective_size"] = options.effective_size
    unsized = known & table["effective_size"].isna()
    table.loc[unsized, "effective_size"] = float(n)
    if not known.all():
        kind = "no_figures" if known.any() else "no_figures_at_all"
        notes.append(Note(kind, {"files": list(table.index[~known])}))
    if unsized.any():
        notes.append(Note("no_effective_size", {"files": list(table.index[unsized]), "n": n}))
    share, source = _expected_share(table, files, options)
    rates = ["recall", "specificity"]
    # A file without figures: as good as the others on average, as uncertain as the most uncertain.
    default = {**table[rates].mean(), "effective_size": table.loc[known, "effective_size"].min()}
    last = {**dict.fromkeys(rates, DEFAULT_RATE), "effective_size": float(n)}
    complete = table.fillna(default).fillna(last)
    figures = [
        OutOfFold(row["recall"], row["specificity"], share, row["effective_size"])
        for row in complete.to_dict("records")
    ]
    return Evidence(table, figures, share, [*notes, Note(source, {"share": share})])


def look_up(files: Sequence[Submission], ledger: Path | None) -> tuple[pd.DataFrame, list[Note]]:
    """Find each file in the ledger: the table of `Evidence`, and a note on each file not found.

    A file is found by name and SHA-256 together: another content under the name is another file,
    and two blends may write the same content. ledger: None for the one in the folder of each
    file, or else `submissions/ledger.csv`.
    Raises UnknownLedgerError for a ledger that does not exist, LedgerError for a damaged one.
    """
    if ledger is not None and not ledger.is_file():
        raise UnknownLedgerError(f"no ledger {ledger}; give its path, or leave --ledger out")
    ledgers: dict[Path, pd.DataFrame] = {}
    rows, notes = [], []
    for file in files:
        beside = file.path.parent / LEDGER
        path = ledger or (beside if beside.is_file() else DEFAULT_LEDGER)
        if path not in ledgers:
            ledgers[path] = _read_figures(path)
        row, kind, other = _find(file, ledgers[path])
        rows.append(row[FIGURES])
        if kind:
            notes.append(Note(kind, {"file": file.path.name, "ledger": path, "other": other}))
    table = pd.DataFrame(rows, dtype=float)
    return table.set_axis([letter(place) for place in range(len(files))]), notes


def _read_figures(path: Path) -> pd.DataFrame:
    """Read `file, sha256` and FIGURES from a ledger; NaN where unknown."""
    ledger = read_ledger(path)
    # Balanced accuracy is the mean of recall and specificity; six decimals may leave [0, 1].
    specificity = (2 * ledger["oof_balanced_accuracy"] - ledger["oof_recall"]).clip(0, 1)
    return ledger[["file", "sha256"]].assign(
        recall=ledger["oof_recall"].where(specificity.notna()),
        specificity=specificity,
        tumoral_share=ledger["oof_tumoral_share"],
        effective_size=ledger["oof_effective_sample_size"],
        public=ledger["board_public"],
        private=ledger["board_private"],
    )


def _find(file: Submission, ledger: pd.DataFrame) -> tuple["pd.Series[float]", str, str]:
    """Row of the ledger, kind of note, and the other name under which the content is known."""
    same_name, same_content = ledger["file"] == file.path.name, ledger["sha256"] == file.sha256
    rows = ledger.loc[same_name & same_content]
    if len(rows):
        row = rows.iloc[-1]
        return row, "no_score_in_ledger" if math.isnan(row["recall"]) else "", ""
    unknown = pd.Series(math.nan, index=FIGURES)
    if same_name.any():
        return unknown, "changed", ""
    if same_content.any():
        return unknown, "renamed", str(ledger.loc[same_content, "file"].iloc[-1])
    return unknown, "not_in_ledger" if len(ledger) else "", ""


def _one_per_file(values: Sequence[float], n_files: int) -> list[float]:
    """Repeat a single value.

    Raises CompareError unless there is one value for all files or one per file.
    """
    if len(values) not in (1, n_files):
        raise CompareError(
            f"{len(values)} values for {n_files} files: give one per file in the order of the "
            "files, or one for all, of --sensitivity and of --specificity, or of --oof alone"
        )
    return list(values) * (n_files if len(values) == 1 else 1)


def _expected_share(
    table: pd.DataFrame, files: Sequence[Submission], options: Options
) -> tuple[float, str]:
    """Expected share of tumoral test patients, and the kind of note on its source."""
    n = len(files[0].patients)
    if options.tumoral_share is not None:
        share, source = options.tumoral_share, "share_from_option"
    elif table["tumoral_share"].notna().any():
        share, source = float(table["tumoral_share"].mean()), "share_from_ledger"
    else:
        share = sum(int(file.labels.sum()) for file in files) / (n * len(files))
        source = "share_from_files"
    # Never a share of 0 or 1, which would exclude one of the labels.
    return min(max(share, 0.5 / n), 1 - 0.5 / n), source
