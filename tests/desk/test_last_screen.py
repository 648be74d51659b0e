"""The last lines of a run: at most twelve, and every number from the files of the run."""

from pathlib import Path

import pandas as pd
import pytest

from lymphokit.desk.last_screen import MOST_LINES, submission_screen, targets_screen
from lymphokit.files import write_json

CSV = "20261126T000000Z_demo_product.csv"


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cohort after a run with nine models, m8 the best; m3 is submitted."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results/demo"
    results.mkdir(parents=True)
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / CSV).write_text("ID,LABEL\nP1,1\nP2,0\nP3,1\n")
    figures = {f"oof_{metric}": 0.3 for metric in ("balanced_accuracy", "auc")}
    ends = {f"{metric}_{end}": 0.3 for metric in figures for end in ("low", "high")}
    receipt = {"file": f"submissions/{CSV}", "cohort": "demo", "blend": "m3", **figures, **ends}
    write_json(results / "submission.json", receipt)
    numbers = {"low": 0.1, "high": 0.9, "auc": 0.5, "auc_low": 0.4, "auc_high": 0.6}
    scores = [{"model": f"m{n}", "balanced_accuracy": n / 10, **numbers} for n in range(9)]
    pd.DataFrame(scores).assign(n_patients=40).to_csv(results / "scores.csv", index=False)
    against = {"model": "m3", "reference": "m0", "balanced_accuracy": -0.02, **numbers}
    pd.DataFrame([against]).to_csv(results / "comparisons.csv", index=False)
    checks = [{"check": name, "passed": True} for name in ("folds", "images")]
    write_json(results / "audit.json", {"checks": checks})
    return results


def screen(results: Path) -> list[str]:
    return submission_screen(results, results.parents[1] / "submissions")


def test_the_best_five_are_shown_in_order_of_their_score(finished: Path) -> None:
    lines = screen(finished)
    places = [next(i for i, line in enumerate(lines) if f" m{n} " in line) for n in range(8, 3, -1)]
    assert places == sorted(places)
    assert not any(" m2 " in line for line in lines)
    assert len(lines) <= MOST_LINES


def test_csv_score_difference_and_audit_are_shown(finished: Path) -> None:
    text = "\n".join(screen(finished))
    assert "m0: -0.02" in text
    for part in (f"{CSV}: 3 patients, 2 called", "0.30 [0.30, 0.30]", "-0.02 [+0.10, +0.90]"):
        assert part in text
    assert "all 2 checks" in text
    assert "report.html" not in text


def test_a_failed_check_is_named(finished: Path) -> None:
    write_json(finished / "audit.json", {"checks": [{"check": "folds", "passed": False}]})
    assert any("FAILED: folds" in line for line in screen(finished))


def test_the_report_is_named_where_there_is_one(finished: Path) -> None:
    (finished / "report.html").touch()
    assert any("report.html" in line for line in screen(finished))


def test_a_second_csv_of_the_cohort_suggests_the_comparison(finished: Path) -> None:
    assert "compare" not in screen(finished)[-1]
    (finished.parents[1] / "submissions/20261127T000000Z_demo_mean.csv").touch()
    assert "lymphokit compare" in screen(finished)[-1]


def test_a_missing_csv_is_said_and_the_rest_shown(finished: Path) -> None:
    (finished.parents[1] / "submissions" / CSV).unlink()
    assert len(screen(finished)) > 5


def test_other_targets_show_their_tables_first_in_twelve_lines() -> None:
    files = [f"figure{n}.png" for n in range(30)] + ["approaches.csv"]
    lines = targets_screen(files)
    assert "approaches.csv" in lines[0]
    assert len(lines) <= MOST_LINES
    assert "21 more" in lines[-1]
