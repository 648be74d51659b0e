"""submissions/ledger.csv: the provenance and the expected score of each submission.

Rows are only appended, and board scores entered. All other bytes are never changed: scores, columns
and notes that a person entered are kept.
"""

import codecs
import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.files import read_regular, write_atomically
from lymphokit.submission.csv_files import Submission, folder_lock, parse_csv

LEDGER = "ledger.csv"  # its name in a folder of submissions
BOARD = ("board_public", "board_private")


class LedgerError(LymphokitError):
    """The ledger cannot be read, or not be appended to without damage."""


@dataclass(frozen=True)
class Entry:
    """One submission, with the out-of-fold figures of its blend.

    sha256: of the file; utc: as in its name; _low and _high: ends of the confidence interval;
    oof_tumoral_share: share of tumoral patients among those scored out of fold;
    oof_effective_sample_size: see `effective_sample_size`; machine: see `provenance.machine`.
    """

    file: str
    sha256: str
    commit: str
    config_digest: str
    folds_digest: str
    cohort: str
    blend: str
    oof_balanced_accuracy: float
    oof_balanced_accuracy_low: float
    oof_balanced_accuracy_high: float
    oof_auc: float
    oof_auc_low: float
    oof_auc_high: float
    oof_f1: float
    oof_recall: float
    oof_precision: float
    oof_tumoral_share: float
    oof_effective_sample_size: float
    machine: str
    utc: str


COLUMNS = (*(field.name for field in fields(Entry)), *BOARD)
NUMBERS = (*(name for name in COLUMNS if name.startswith("oof_")), *BOARD)


def oof_figures(scores: pd.DataFrame, decisions: pd.DataFrame, blend: str) -> dict[str, float]:
    """Collect the out-of-fold figures of an entry, by field name.

    scores: the score table; decisions: the long table, of which the validation rows of the blend
    count.
    Raises LedgerError for a blend without exactly one row in the score table.
    """
    rows = scores.loc[scores["model"] == blend].to_dict("records")
    if len(rows) != 1:
        raise LedgerError(f"{len(rows)} rows of {blend} in the score table, expected one")
    ends = {"low": "balanced_accuracy_low", "high": "balanced_accuracy_high"}
    found = {f"oof_{ends.get(str(name), name)}": value for name, value in rows[0].items()}
    scored = decisions.loc[(decisions["model"] == blend) & (decisions["part"] == "validation")]
    labels = scored.drop_duplicates("patient")["label"]
    found["oof_tumoral_share"] = labels.mean()
    found["oof_effective_sample_size"] = effective_sample_size(
        len(labels), scored["n_fitted"].mean()
    )
    return {name: float(found[name]) for name in COLUMNS if name.startswith("oof_")}


def effective_sample_size(n_scored: float, n_fitted: float) -> float:
    """Number of independent patients that would give intervals as wide as cross-validation does.

    n_scored: patients in validation over all folds; n_fitted: patients in the training part of a
    fold. Resampled patients alone give a variance in proportion to 1 / n_scored; because training
    parts overlap it is multiplied by 1 + n_scored / n_fitted (`evaluation.uncertainty.widening`
    squared). Hence 1 / n = 1 / n_scored + 1 / n_fitted.
    Source: Nadeau and Bengio 2003.
    """
    return 1 / (1 / n_scored + 1 / n_fitted)


def append(path: Path, entry: Entry) -> None:
    """Append a row with empty board scores, for a person to enter; create a missing ledger.

    Safe with several processes at once, and with a process that is killed.
    Raises LedgerError, changing nothing, for a ledger that lacks a column or cannot be parsed.
    """
    path = path.resolve()  # a symbolic link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(path.parent):
        old, (header, *_) = _read(path)
        ending = "\r\n" if b"\r\n" in old else "\n"
        if old and not old.endswith(b"\n"):
            old += ending.encode()
        row = pd.DataFrame([asdict(entry)], columns=header)  # in the order of the ledger
        added = row.to_csv(index=False, header=not old, float_format="%.6f", lineterminator=ending)
        write_atomically(path, old + added.encode())


def read_ledger(path: Path) -> pd.DataFrame:
    """Read the ledger, one row per submission; empty where there is no file.

    Figures and board scores are floats, NaN where empty; all other columns, including those that a
    person added, are text.
    Raises LedgerError for a ledger that cannot be parsed or a number out of range.
    """
    _, (header, *rows) = _read(path)
    table = pd.DataFrame(rows, columns=header, dtype=str)
    for name in NUMBERS:
        numbers = pd.to_numeric(table[name], errors="coerce").astype(float)
        most = np.inf if name == "oof_effective_sample_size" else 1
        bad = table.index[~numbers.between(0, most) & (table[name].str.strip() != "")]
        if len(bad):
            raise LedgerError(
                f"{path}: {name} of {table.loc[bad[0], 'file']} is {table.loc[bad[0], name]!r}, "
                f"not a number from 0 to {most:g}; write it with a decimal point, such as 0.8571"
            )
        table[name] = numbers
    return table


def row_of(ledger: pd.DataFrame, file: Submission) -> int | None:
    """Position of the last row with the content of a file, of its name where there are several.

    Two blends may write the same content. None without such a row.
    """
    same = ledger["sha256"] == file.sha256
    named = same & (ledger["file"] == file.path.name)
    rows = np.flatnonzero(named if named.any() else same)
    return int(rows[-1]) if len(rows) else None


def enter_scores(path: Path, file: Submission, scores: Mapping[str, float]) -> None:
    """Write board scores into the row of a submission; the other rows keep their bytes.

    scores: shares, by the columns of BOARD.
    Raises LedgerError, changing nothing, where the ledger has no row of the file as it is.
    """
    path = path.resolve()
    with folder_lock(path.parent):
        position = row_of(read_ledger(path), file)
        if position is None:
            raise LedgerError(not_recorded(path, file))
        content, (header, *rows) = _read(path)
        row = rows[position]
        for column, score in scores.items():
            row[header.index(column)] = repr(score)
        _replace_row(path, content, position, row)


def _replace_row(path: Path, content: bytes, position: int, row: list[str]) -> None:
    """Write a ledger with another row at this position; `content` are its bytes before."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    records = _records(content.removeprefix(mark).decode())
    where = [place for place, record in enumerate(records) if record.strip("\r\n")][position + 1]
    ending = records[where][len(records[where].rstrip("\r\n")) :]
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=ending).writerow(row)
    records[where] = written.getvalue()
    write_atomically(path, mark + "".join(records).encode())


def not_recorded(path: Path, file: Submission) -> str:
    """Why a ledger has no row of a file, and the remedy."""
    if file.path.name in read_ledger(path)["file"].tolist():
        return (
            f"{file.path} was changed since {path} recorded it, so the score is of another file: "
            "name the file that was uploaded"
        )
    return (
        f"{file.path} has no row in {path}: name a file that `snakemake submission` wrote, beside "
        "its ledger"
    )


def _records(text: str) -> list[str]:
    """The text of each row, and each empty line, with its end; joined, the text.

    A quoted field may hold line ends.
    """
    lines = list(io.StringIO(text, newline=""))
    reader, start, found = csv.reader(iter(lines), strict=True), 0, list[str]()
    for _ in reader:
        found.append("".join(lines[start : reader.line_num]))
        start = reader.line_num
    return found


def _read(path: Path) -> tuple[bytes, list[list[str]]]:
    """Bytes of a ledger, and its header and rows, each as long as the header.

    Raises LedgerError for a file that is not a ledger as `append` writes it.
    """
    try:
        content = read_regular(path) if path.exists() else b""
    except OSError as error:
        raise LedgerError(f"{path} cannot be read: {error.strerror}; name a ledger.csv") from error
    if not content.strip():
        return b"", [list(COLUMNS)]
    rows = parse_csv(path, content, LedgerError)
    header = rows[0]
    missing = [name for name in COLUMNS if name not in header]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if missing or repeated:
        finding = f"lacks {', '.join(missing)}" if missing else f"has twice {', '.join(repeated)}"
        raise LedgerError(
            f"{path}: the first line {finding}; restore it (columns are separated by commas), "
            "or move the file away to begin a new ledger"
        )
    return content, rows
