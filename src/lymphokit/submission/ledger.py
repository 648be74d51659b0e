"""submissions/ledger.csv: every submission with where it came from and what it promised.

Rows are only ever added. What stands in the file is kept byte for byte: board scores, columns and
notes that a person entered are theirs.
"""

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.files import write_atomically
from lymphokit.submission.write import folder_lock

BOARD = ("board_public", "board_private")


class LedgerError(LymphokitError):
    """The ledger cannot be read or added to without damage."""


@dataclass(frozen=True)
class Entry:
    """One submission. The out-of-fold figures are those of its blend, from the score table.

    sha256 of the file; utc as in its name; low and high bound the interval of the figure before.
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
    utc: str


COLUMNS = (*(field.name for field in fields(Entry)), *BOARD)
NUMBERS = (*(name for name in COLUMNS if name.startswith("oof_")), *BOARD)


def oof_figures(scores: pd.DataFrame, blend: str) -> dict[str, float]:
    """The figures of an entry, by field, from the blend's row of the score table.

    Raises LedgerError for a blend without exactly one row.
    """
    rows = scores.loc[scores["model"] == blend].to_dict("records")
    if len(rows) != 1:
        raise LedgerError(f"{len(rows)} rows of {blend} in the score table, expected one")
    row = rows[0]
    ends = {"low": "balanced_accuracy_low", "high": "balanced_accuracy_high"}
    found = {f"oof_{ends.get(str(name), name)}": value for name, value in row.items()}
    return {name: float(found[name]) for name in COLUMNS if name.startswith("oof_")}


def append(path: Path, entry: Entry) -> None:
    """Add a row, its board scores empty for a person to enter; begin the ledger if there is none.

    Safe beside other processes that append. A process that is killed leaves the old ledger whole.
    Raises LedgerError, changing nothing, for a ledger that lacks a column or cannot be parsed.
    """
    path = path.resolve()  # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(path.parent):
        old = path.read_bytes() if path.exists() else b""
        header = _parse(path, old)[0] if old.strip() else []
        ending = "\r\n" if b"\r\n" in old else "\n"
        added = io.StringIO(newline="")
        writer = csv.writer(added, lineterminator=ending)
        if not header:
            header, old = list(COLUMNS), b""
            writer.writerow(header)
        if old and not old.endswith(b"\n"):
            old += ending.encode()
        values = {name: _text(value) for name, value in asdict(entry).items()}
        writer.writerow([values.get(name, "") for name in header])
        write_atomically(path, old + added.getvalue().encode())


def read_ledger(path: Path) -> pd.DataFrame:
    """The ledger, a row a submission: figures and board scores as floats (NaN where empty).

    All else is text as written, a person's own columns included. Empty where there is no file.
    Raises LedgerError for a ledger that cannot be parsed or a score outside 0 to 1.
    """
    content = path.read_bytes() if path.exists() else b""
    if not content.strip():
        return pd.DataFrame({name: [] for name in COLUMNS})
    header, *rows = _parse(path, content)
    table = pd.DataFrame(rows, columns=header, dtype=str)
    for name in NUMBERS:
        numbers = pd.to_numeric(table[name], errors="coerce").astype(float)
        bad = table.index[~numbers.between(0, 1) & (table[name].str.strip() != "")]
        if len(bad):
            raise LedgerError(
                f"{path}: {name} of {table.loc[bad[0], 'file']} is {table.loc[bad[0], name]!r}, "
                "not a number from 0 to 1; write it with a decimal point, such as 0.8571"
            )
        table[name] = numbers
    return table


def _text(value: str | float) -> str:
    """As it stands in the file: numbers with six decimals, empty for one that is undefined."""
    if isinstance(value, str):
        return value
    return "" if value != value else f"{value:.6f}"  # only NaN differs from itself


def _parse(path: Path, content: bytes) -> list[list[str]]:
    """Header and rows, each as long as the header.

    Raises LedgerError where the file is not a ledger as `append` writes them.
    """
    try:
        text = content.decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LedgerError(
            f"{path}: {error}; save it as CSV in UTF-8 with commas, or move it away to begin anew"
        ) from error
    header = rows[0]
    missing = [name for name in COLUMNS if name not in header]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if missing or doubled:
        finding = f"lacks {', '.join(missing)}" if missing else f"has twice {', '.join(doubled)}"
        raise LedgerError(
            f"{path}: the first line {finding}; restore it (columns are separated by commas), "
            "or move the file away to begin anew"
        )
    uneven = [number for number, row in enumerate(rows, start=1) if len(row) != len(header)]
    if uneven:
        raise LedgerError(
            f"{path}: row {uneven[0]} has {len(rows[uneven[0] - 1])} fields, the first has "
            f"{len(header)}; mend that row"
        )
    return rows
