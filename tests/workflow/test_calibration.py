"""Calibration and referral end with the main job; new costs rerun the referral alone."""

import csv
import json

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")


def test_every_model_of_every_fold_is_calibrated_on_its_inner_patients(finished: Checkout) -> None:
    folder = finished.folder / "results/demo"
    learned = json.loads((folder / "calibrators.json").read_text())
    with (folder / "folds.csv").open() as file:
        rows = list(csv.DictReader(file))
    training = {
        fold: sum(row["part"] == "train" for row in rows if row["fold"] == fold)
        for fold in ("1", "2")
    }
    assert {own["n_patients"] for own in learned} <= set(training.values())
    with (folder / "oof.csv").open() as file:
        models = next(csv.reader(file))[2:]
    assert [(own["model"], own["fold"]) for own in learned] == [
        (model, fold) for model in models for fold in (1, 2)
    ]


def test_every_test_patient_gets_advice(finished: Checkout) -> None:
    folder = finished.folder / "results/demo"
    with (folder / "referrals.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {row["advice"] for row in rows} <= {"reactive", "tumoral", "flow cytometry"}
    for figure in ("reliability", "referral"):
        assert (folder / f"figures/{figure}.png").stat().st_size > 10_000


def test_new_costs_rerun_the_referral_and_its_report_alone(finished: Checkout) -> None:
    change = "referral={'costs': {'missed': 50}}"
    assert finished.planned("--config", change) == {"referral", "report"}


def test_a_wanted_sensitivity_is_a_rule_of_decision(finished: Checkout) -> None:
    change = "decision={'threshold': {'sensitivity': 0.9}}"
    assert finished.planned("--config", change) >= {"blend", "out_of_fold"}
