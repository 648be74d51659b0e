"""The last lines of a run: at most twelve, from the files that the run has made."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.audit.findings import failed_checks
from lymphokit.cohort.tables import read_table
from lymphokit.errors import LymphokitError
from lymphokit.figures.terminal_tables import in_words, with_interval
from lymphokit.files import read_json
from lymphokit.robustness.stain_verdict import headline, verdict
from lymphokit.submission.csv_files import read_submission

MOST_LINES = 12
BEST = 5  # models shown
_LABEL = 9  # width of the first column


def last_screen(results: Path, submissions: Path, files: Sequence[str]) -> list[str]:
    """What a run has made; files: those of its targets."""
    if str(results / "audit.json") in files:
        return submission_screen(results, submissions)
    return targets_screen(files)


def submission_screen(results: Path, submissions: Path) -> list[str]:
    """The CSV, its score, the audit, the best models, the report and the next command.

    results: the folder of a cohort after the target `submission`; submissions: that of the CSVs.
    """
    receipt = read_json(results / "submission.json")
    scores = read_table(results / "scores.csv")
    texts = {
        "CSV": _csv(Path(receipt["file"])),
        "score": _score(receipt, scores),
        "against": _against(read_table(results / "comparisons.csv"), receipt["blend"]),
        "trust": _trust(results / "stain_test.csv"),
        "audit": _audit(read_json(results / "audit.json")),
    }
    lines = [f"{name:<{_LABEL}}{text}" for name, text in texts.items() if text]
    lines += _best(scores, receipt["blend"])
    if (results / "report.html").is_file():
        lines.append(f"{'report':<{_LABEL}}{results / 'report.html'}")
    return [*lines, f"{'next':<{_LABEL}}{_next(receipt, submissions)}"]


def targets_screen(files: Sequence[str]) -> list[str]:
    """The files that a run of other targets has made, tables first."""
    ordered = sorted(dict.fromkeys(files), key=lambda file: (not file.endswith(".csv"), file))
    shown, more = ordered[: MOST_LINES - 2], len(ordered) - (MOST_LINES - 2)
    lines = [f"{'made' if not place else '':<{_LABEL}}{file}" for place, file in enumerate(shown)]
    return [*lines, f"{'':<{_LABEL}}and {more} more"] if more > 0 else lines


def _csv(file: Path) -> str:
    try:
        labels = read_submission(file).labels
    except (LymphokitError, OSError) as error:  # a CSV moved away after the run that wrote it
        return f"{file} ({error})"
    return f"{file}: {len(labels)} patients, {labels.sum()} called tumoral"


def _score(receipt: dict[str, Any], scores: pd.DataFrame) -> str:
    n = scores["n_patients"].max()
    metrics = ("oof_balanced_accuracy", "oof_auc")
    accuracy, auc = (_estimate(receipt, metric) for metric in metrics)
    return f"{receipt['blend']}: balanced accuracy {accuracy}, AUC {auc}; out of fold, {n} patients"


def _against(comparisons: pd.DataFrame, blend: str) -> str:
    rows = comparisons[comparisons["model"] == blend].to_dict("records")
    if not rows:
        return ""
    accuracy, auc = (_estimate(rows[0], metric, "+") for metric in ("balanced_accuracy", "auc"))
    return f"{in_words(rows[0]['reference'])}: {accuracy}, AUC {auc}, on the same patients"


def _estimate(row: dict[Any, Any], metric: str, sign: str = "") -> str:
    low = f"{metric}_low" if f"{metric}_low" in row else "low"
    high = f"{metric}_high" if f"{metric}_high" in row else "high"
    return with_interval(row[metric], row[low], row[high], sign=sign)


def _trust(stain_test: Path) -> str:
    """A word where the images' score does not survive the removal of colours."""
    table = read_table(stain_test) if stain_test.is_file() else None
    if table is None or verdict(table) == "survives":
        return ""
    return f"{headline(table)} (stain test: results and logs)"


def _audit(audit: dict[str, Any]) -> str:
    checks = audit["checks"]
    if failed := failed_checks(checks):
        return f"FAILED: {', '.join(failed)}"
    return f"all {len(checks)} checks passed"


def _best(scores: pd.DataFrame, submitted: str) -> Iterator[str]:
    """The models with the highest balanced accuracy, the submitted one marked."""
    rows = scores.sort_values("balanced_accuracy", ascending=False).to_dict("records")[:BEST]
    width = max(len(row["model"]) for row in rows)
    for place, row in enumerate(rows):
        first = "best" if not place else f"of {len(scores)}" if place == 1 else ""
        mark = "  submitted" if row["model"] == submitted else ""
        numbers = f"{_estimate(row, 'balanced_accuracy')}  AUC {_estimate(row, 'auc')}"
        yield f"{first:<{_LABEL}}{row['model']:<{width}}  {numbers}{mark}"


def _next(receipt: dict[str, Any], submissions: Path) -> str:
    if len(list(submissions.glob(f"*_{receipt['cohort']}_*.csv"))) > 1:
        return "lymphokit compare"
    if receipt["cohort"] == "demo":
        return "put Kaggle's download into data/raw/ and run this again (docs/data.md)"
    return "lymphokit submit; or by hand, then: lymphokit score CSV SCORE"
