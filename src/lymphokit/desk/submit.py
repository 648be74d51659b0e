"""Send a submission to Kaggle, once, and enter its scores in the ledger."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.cohort.download_search import SIMULATED_ID
from lymphokit.cohort.tables import read_table
from lymphokit.errors import LymphokitError, quoted
from lymphokit.files import read_json, write_json
from lymphokit.folders import is_regular
from lymphokit.leaderboard.kaggle_client import Kaggle, SentFile
from lymphokit.submission.csv_files import Submission, read_submission, utc_stamp
from lymphokit.submission.ledger import (
    BOARD,
    LEDGER,
    enter_scores,
    not_recorded,
    read_ledger,
    row_of,
)
from lymphokit.submission.named_files import newest, submission_path
from lymphokit.submission.run_folder import run_folder

SENT = "kaggle.json"  # in the folder of a submission: when it was sent, and Kaggle's reference
_NEXT = "change a setting and run `snakemake submission`, or name another file"


class SubmitError(LymphokitError):
    """A file is not sent: it fails the check, or was sent before."""


def submit(file: Path | None, competition: str, wait: int, root: Path) -> list[str]:
    """Send a submission, wait for its score and enter it in the ledger; return what was done.

    file: by default the newest in submissions/. wait: seconds. A file that was sent before is not
    sent again: its score is entered if the ledger lacks it.
    Raises LymphokitError for a file that fails the check or has its score, KaggleError otherwise.
    """
    submission = read_submission(newest() if file is None else submission_path(file))
    row = _row(submission)
    _require_real(submission, str(row["cohort"]), root)
    _require_no_score(submission, row)
    kaggle = Kaggle()
    if (earlier := _earlier(submission, str(row["file"]), competition, kaggle)) is not None:
        lines = [f"{submission.path.name} was sent before: not sent again"]
        return [*lines, *_enter(submission, competition, earlier)]
    sent = kaggle.submit(
        competition,
        submission.path,
        message_of(row),
        wait=wait,
        on_sent=lambda ref: _record(submission, competition, ref),
    )
    lines = [f"sent {submission.path} to {competition}: {message_of(row)}"]
    return [*lines, *_enter(submission, competition, sent)]


def message_of(row: Mapping[str, Any]) -> str:
    """The description that Kaggle keeps: from the ledger, so that the board leads back to it."""
    interval = "{oof_balanced_accuracy_low:.3f} to {oof_balanced_accuracy_high:.3f}"
    text = f"{{blend}}, balanced accuracy out of fold {{oof_balanced_accuracy:.3f}} ({interval})"
    origin = "commit {commit}, settings {config_digest}"
    return f"{text}, {origin}".format(**row) + f", {_mark(str(row['sha256']))}"


def _mark(sha256: str) -> str:
    return f"sha256 {sha256[:12]}"


def _row(submission: Submission) -> dict[str, Any]:
    """The row of a file in the ledger beside it, by column."""
    path = submission.path.parent / LEDGER
    ledger = read_ledger(path)
    position = row_of(ledger, submission)
    if position is None:
        raise SubmitError(f"not sent: {not_recorded(path, submission)}")
    return {str(name): value for name, value in ledger.iloc[position].items()}


def _require_real(submission: Submission, cohort: str, root: Path) -> None:
    """Refuse simulated patients, and others than the test patients where these are known."""
    if all(map(SIMULATED_ID.fullmatch, submission.patients)):
        raise SubmitError(
            f"{submission.path} is not sent: its patients are simulated; `lymphokit fetch "
            "competition` brings the real ones, or name another file"
        )
    table = root / "results" / cohort / "cohort" / "patients.csv"
    if not is_regular(table):
        return
    patients = read_table(table, ("patient", "part"))
    expected = set(patients.loc[patients["part"] == "test", "patient"].astype(str))
    if odd := sorted(expected ^ set(submission.patients)):
        raise SubmitError(
            f"{submission.path} is not sent: it and the test patients of {table} differ in "
            f"{', '.join(odd[:10])}; run `snakemake submission` again"
        )


def _require_no_score(submission: Submission, row: Mapping[str, Any]) -> None:
    known = {name: row[name] for name in BOARD if not pd.isna(row[name])}
    if known:
        scores = ", ".join(f"{name} {score}" for name, score in known.items())
        raise SubmitError(
            f"{submission.path} is not sent: it was before, and the ledger has its score, "
            f"{scores}; {_NEXT}"
        )


def _earlier(
    submission: Submission, file: str, competition: str, kaggle: Kaggle
) -> SentFile | None:
    """The same content as it was sent before, from here, by hand or from another machine."""
    refs = {record["ref"] for record in _records(submission, competition)}
    mark = _mark(submission.sha256)
    for sent in kaggle.sent(competition):
        is_same = sent.ref in refs or mark in sent.description or sent.file == file
        if is_same and sent.status != "ERROR":  # one that failed costs no submission of the day
            return sent
    return None


def _records(submission: Submission, competition: str) -> Iterable[dict[str, Any]]:
    """The notes on what was sent with this content, from the folders of all submissions."""
    for path in sorted(submission.path.parent.glob(f"*/{SENT}")):
        record = read_json(path, "sha256", "competition", "ref")
        if (record["sha256"], record["competition"]) == (submission.sha256, competition):
            yield record


def _record(submission: Submission, competition: str, ref: int) -> None:
    folder = run_folder(submission.path)
    folder.mkdir(exist_ok=True)
    now = utc_stamp(dt.datetime.now(dt.UTC))
    content = {"sha256": submission.sha256, "competition": competition, "ref": ref, "sent": now}
    write_json(folder / SENT, content)


def _enter(submission: Submission, competition: str, sent: SentFile | None) -> list[str]:
    """Enter the scores of what was sent; lines about what is known of them."""
    again = f"`lymphokit submit {submission.path}` looks again, and does not send it twice"
    if sent is not None and sent.status == "ERROR":
        finding = quoted(sent.error, 300) if sent.error else "Kaggle gives no reason"
        raise SubmitError(f"Kaggle could not score {submission.path}: {finding}; {_NEXT}")
    if sent is None or sent.status != "COMPLETE":
        return [f"not scored yet: {again}"]
    values = zip(BOARD, (sent.public, sent.private), strict=True)
    scores = {name: value for name, value in values if value is not None}
    if not scores:
        page = f"https://www.kaggle.com/c/{competition}/submissions"
        return [f"Kaggle shows no score from 0 to 1: look at {page}; {again}"]
    enter_scores(submission.path.parent / LEDGER, submission, scores)
    entered = ", ".join(f"{name} {value}" for name, value in scores.items())
    return [f"{entered} in {submission.path.parent / LEDGER}; next: lymphokit leaderboard"]
