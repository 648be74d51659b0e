"""Every threshold and weight must come again from inner predictions, or it is found."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lymphokit.audit.choice_checks import BlendRecord, check_blends, check_thresholds, with_blends
from lymphokit.audit.findings import Check
from lymphokit.ensemble import fold as ensemble
from lymphokit.evaluation import threshold
from tests.audit import runs


def thresholds_of(change: Any = None) -> Check:
    tables = runs.predictions()
    made = runs.blends(tables)
    decisions = runs.decisions(tables, made)
    if change:
        decisions = change(decisions)
    return check_thresholds(with_blends(tables, made), decisions, "midpoint")


def of_pooled(decisions: pd.DataFrame) -> "pd.Series[bool]":
    return (decisions["fold"] == 1) & (decisions["model"] == "pooled")


def blends_of(made: dict[int, BlendRecord], tables: Any = None) -> Check:
    return check_blends(
        tables or runs.predictions(), made, runs.patients(), recipes=runs.RECIPES, rule=runs.RULE
    )


def test_decisions_that_follow_from_inner_predictions_pass() -> None:
    check = thresholds_of()
    assert check.faults == ()
    # Three models and four blends in two folds; 12 validation and 5 test patients each.
    assert check.compared == (
        "18 thresholds chosen again on inner predictions, 306 decisions: 0 differ"
    )


def test_a_threshold_chosen_on_the_patients_it_is_scored_on_is_found() -> None:
    def peek(decisions: pd.DataFrame) -> pd.DataFrame:
        rows = of_pooled(decisions)
        scored = decisions[rows & (decisions["part"] == "validation")]
        labels, probabilities = scored["label"].to_numpy(), scored["probability"].to_numpy()
        cut = threshold.choose("midpoint", labels, probabilities)
        decisions.loc[rows, "threshold"] = cut
        decisions.loc[rows, "decision"] = (decisions.loc[rows, "probability"] >= cut).astype(int)
        return decisions

    found = runs.findings(thresholds_of(peek)).splitlines()
    assert len(found) == 1
    assert found[0].startswith("decisions.csv: decisions.csv, fold 1, pooled: threshold 0.")
    assert "its inner predictions give 0." in found[0]


@pytest.mark.parametrize(
    ("column", "change", "finding"),
    [
        ("decision", lambda value: 1 - value, "does not follow from the threshold"),
        ("probability", lambda value: value + 1e-3, "is not the one predicted"),
    ],
)
def test_a_changed_decision_names_the_patient(column: str, change: Any, finding: str) -> None:
    def plant(decisions: pd.DataFrame) -> pd.DataFrame:
        row = of_pooled(decisions) & (decisions["patient"] == "P1")
        decisions.loc[row, column] = change(decisions.loc[row, column])
        return decisions

    found = runs.findings(thresholds_of(plant)).splitlines()
    assert [line for line in found if finding in line and line.startswith("P1: ")]
    assert all(line.startswith("P1: decisions.csv, fold 1, pooled: ") for line in found)


def test_decisions_that_lack_a_patient_or_have_one_model_too_many_are_found() -> None:
    def plant(decisions: pd.DataFrame) -> pd.DataFrame:
        stray = decisions[of_pooled(decisions)].assign(model="oracle")
        kept = decisions[~(of_pooled(decisions) & (decisions["patient"] == "P1"))]
        return pd.concat([kept, stray])

    found = runs.findings(thresholds_of(plant))
    assert "P1: decisions.csv, fold 1, pooled: has a prediction and no decision" in found
    assert "decisions.csv: has decisions of (1, 'oracle')" in found


def test_without_both_classes_inside_it_is_a_finding_and_no_crash() -> None:
    tables = runs.predictions()
    made = runs.blends(tables)
    decisions = runs.decisions(tables, made)
    tables[1, "pooled"]["label"] = 1
    found = runs.findings(check_thresholds(with_blends(tables, made), decisions, "midpoint"))
    assert "fold 1, pooled: no threshold can be chosen again" in found


def test_blends_that_are_fitted_on_inner_predictions_pass() -> None:
    check = blends_of(runs.blends(runs.predictions()))
    assert check.faults == ()
    assert check.compared == (
        "12 blends of 3 models fitted again, validation labels hidden, 348 probabilities: 0 differ"
    )


def test_a_blend_fitted_on_the_patients_it_is_scored_on_is_found() -> None:
    """A stack whose weights were chosen with the labels of validation patients."""
    tables = runs.predictions()
    made = runs.blends(tables)
    leaky = {
        model: tables[1, model].assign(
            part=lambda t: t["part"].replace("validation", "inner"),
            inner=lambda t: t["inner"].where(t["part"] != "inner", t["inner"].clip(0)),
        )
        for model in runs.MODELS
    }
    panel = ensemble.MemberPredictions.from_tables(leaky, runs.patients())
    blended, chosen = ensemble.blend_fold(panel, runs.RECIPES, runs.RULE)
    given = tables[1, "pooled"].set_index("patient")
    together = pd.concat([table.assign(blend=name) for name, table in blended.items()])
    together["part"] = together["patient"].map(given["part"])
    together["inner"] = together["patient"].map(given["inner"])
    found = runs.findings(blends_of({**made, 1: BlendRecord(together, chosen)}))
    assert "fold1/blends: chosen.json: stack.weights.pooled is " in found
    assert "P1: fold1/blends/predictions.csv: stack is 0." in found
    assert "fold2" not in found


def test_another_voter_is_found() -> None:
    made = runs.blends(runs.predictions())
    made[2].chosen["vote"]["voters"] = ["clinical"]
    found = runs.findings(blends_of(made))
    assert found.startswith("fold2/blends: chosen.json: vote.voters is ['clinical'], chosen again")


def test_rounding_of_another_processor_is_no_finding() -> None:
    made = runs.blends(runs.predictions())
    made[1].predictions["probability"] += 1e-9
    made[1].chosen["stack"]["intercept"] += 1e-9
    assert blends_of(made).faults == ()


def test_models_that_cannot_be_blended_again_are_a_finding() -> None:
    tables = runs.predictions()
    made = runs.blends(tables)
    tables[1, "pooled"] = tables[1, "pooled"].iloc[1:]
    found = runs.findings(blends_of(made, tables))
    assert "fold1/blends: cannot be fitted again: pooled did not predict the patients" in found


def test_a_blend_without_a_probability_of_a_patient_is_found() -> None:
    made = runs.blends(runs.predictions())
    rows = made[1].predictions
    silent = (rows["patient"] == "P1") & (rows["blend"] == "mean")
    made[1] = BlendRecord(
        rows.assign(probability=rows["probability"].mask(silent, np.nan)), made[1].chosen
    )
    assert "P1: fold1/blends/predictions.csv: mean is nan" in runs.findings(blends_of(made))
