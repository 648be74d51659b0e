"""The folder beside a submission: the settings that made it, and how it scored out of fold.

`<stem>.csv` is what is uploaded; `<stem>/` has `config.yaml` (the checked settings, for
`--configfile`), `scores.csv`, `oof.csv` (every out-of-fold decision of every model) and
`receipt.json`. Submissions of older versions have no folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lymphokit.cohort.tables import TableError, read_table
from lymphokit.errors import LymphokitError
from lymphokit.files import read_json, write_atomically, write_json
from lymphokit.submission.csv_files import Submission

CONFIG, SCORES, OOF, RECEIPT = "config.yaml", "scores.csv", "oof.csv", "receipt.json"
_COLUMNS = ("fold", "repeat", "patient", "label", "model", "n_fitted", "probability", "decision")
_WITHOUT = "delete the folder to go without it"


@dataclass(frozen=True)
class Run:
    """The folder of a submission, and its receipt."""

    folder: Path
    receipt: Mapping[str, Any]

    def decisions(self) -> pd.DataFrame:
        """The out-of-fold decisions of the submitted blend: a row a repeat and patient.

        Raises TableError for a table that the workflow did not write.
        """
        path = self.folder / OOF
        try:
            table = read_table(path, _COLUMNS)
        except TableError as error:
            raise TableError(f"{error}; {_WITHOUT}") from error
        rows: pd.DataFrame = table[table["model"] == str(self.receipt["blend"])]
        numbers = rows[["label", "decision", "n_fitted"]].apply(pd.to_numeric, errors="coerce")
        whole = numbers[["label", "decision"]].isin([0, 1]).all(axis=None)
        twice = rows.duplicated(["repeat", "patient"]).any()
        if rows.empty or not whole or not (numbers["n_fitted"] > 0).all() or twice:
            raise TableError(
                f"{path} has not one decision, 0 or 1, of {self.receipt['blend']} for each patient "
                f"and repeat; {_WITHOUT}"
            )
        rows = rows.copy()
        rows[numbers.columns] = numbers
        return rows


def run_folder(csv: Path) -> Path:
    """The folder that belongs to a submission."""
    return csv.with_suffix("")


def write_run(
    csv: Path,
    settings: Mapping[str, Any],
    scores: Path,
    decisions: pd.DataFrame,
    receipt: Mapping[str, Any],
) -> Path:
    """Write the folder of a submission and return its path; the receipt comes last.

    settings: all of them, checked; scores: the score table; decisions: the long table, of which
    the validation rows are kept.
    """
    folder = run_folder(csv)
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    about = f"# The settings of {csv.name}: `lymphokit rerun {csv.stem}` prints the command.\n"
    write_atomically(folder / CONFIG, (about + text).encode())
    write_atomically(folder / SCORES, scores.read_bytes())
    validation = decisions[decisions["part"] == "validation"]
    write_atomically(folder / OOF, validation.to_csv(index=False).encode())
    write_json(folder / RECEIPT, receipt)
    return folder


def read_run(file: Submission) -> Run | None:
    """The folder of a submission; None without one, or where the file was changed since.

    Raises LymphokitError for a receipt that the workflow did not write.
    """
    receipt = run_folder(file.path) / RECEIPT
    if not receipt.is_file():
        return None
    try:
        content = read_json(receipt, "sha256", "blend", "commit", "config_digest")
    except LymphokitError as error:
        raise LymphokitError(f"{receipt} is damaged; {_WITHOUT}") from error
    return Run(receipt.parent, content) if content["sha256"] == file.sha256 else None
