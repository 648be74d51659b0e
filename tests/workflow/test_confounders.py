"""The confounder page comes with the main job, and what it reads reaches nothing else."""

import csv
import re
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, Checkout

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_page_lies_beside_the_scores_after_the_main_job(finished: Checkout) -> None:
    home = finished.folder / "results/demo"
    scores = rows_of(home / "confounders.csv")
    assert {row["target"] for row in scores} == {"label", "train_or_test"}
    assert {"row order", "date format", "stain: bare glass"} <= {
        row["confounder"] for row in scores
    }
    sizes = rows_of(home / "confounders/bag_size.csv")
    assert {row["model"] for row in sizes} == {"pseudo_label_xgb", "round_zero_xgb"}
    assert (home / "figures/confounders.png").stat().st_size > 10_000


def test_every_patient_has_artefacts(finished: Checkout) -> None:
    home = finished.folder / "results/demo"
    patients = [row["patient"] for row in rows_of(home / "cohort/patients.csv")]
    artefacts = rows_of(home / "confounders/artefacts.csv")
    assert [row["patient"] for row in artefacts] == patients
    assert sorted(int(row["row"]) for row in artefacts) == list(range(len(patients)))


def test_only_studies_read_artefacts() -> None:
    rules = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    readers = [
        re.match(r"\w+", body)[0]  # type: ignore[index]
        for body in rules.split("\nrule ")[1:]
        if "artefacts.csv" in body.partition("output:")[0]
    ]
    assert readers == ["stain_test", "confounders"]
