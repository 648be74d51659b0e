"""Checks of choices: thresholds and blends must follow from inner predictions alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.audit.findings import Check, counted
from lymphokit.audit.fold_checks import Tables
from lymphokit.ensemble.fold import MemberPredictions, Recipe, blend_fold, rule_for
from lymphokit.errors import Fault, LymphokitError
from lymphokit.evaluation import out_of_fold, threshold
from lymphokit.evaluation.threshold import Rule

TOLERANCE = 1e-6  # of a probability, a threshold or a weight: rounding differs between processors
_DECIDE = "decide again: delete decisions.csv and run"
_BLEND = "blend again: delete the folder blends of this fold and run"


@dataclass(frozen=True)
class BlendRecord:
    """Files of the blends of one fold: predictions.csv, with a column `blend`, and chosen.json."""

    predictions: pd.DataFrame
    chosen: dict[str, Any]


def check_thresholds(predictions: Tables, decisions: pd.DataFrame, rule: Rule) -> Check:
    """Choose every threshold of decisions.csv again, on the inner rows of its predictions alone.

    predictions: of each (fold, model), blends included. Probabilities and decisions must follow
    from the predictions and the threshold, and no model may be missing.
    """
    faults, n_decisions = [], 0
    decided = dict(iter(decisions.groupby(["fold", "model"])))
    for (fold, model), table in predictions.items():
        rows = decided.get((fold, model), decisions.iloc[:0])
        n_decisions += len(rows)
        faults += [
            Fault(patient, f"decisions.csv, fold {fold}, {model}: {finding}", _DECIDE)
            for patient, finding in _decision_findings(table, rows, rule_for(model, rule))
        ]
    for stray in sorted(set(decided) - set(predictions), key=str):
        finding = f"has decisions of {stray} (fold, model), of which there are no predictions"
        faults.append(Fault("decisions.csv", finding, _DECIDE))
    compared = (
        f"{counted(len(predictions), 'threshold')} chosen again on inner predictions, "
        f"{counted(n_decisions, 'decision')}: {len(faults)} differ"
    )
    return Check("thresholds", compared, tuple(faults))


def _decision_findings(
    table: pd.DataFrame, rows: pd.DataFrame, rule: Rule
) -> Iterator[tuple[str, str]]:
    """Decisions of one model in one fold that do not follow from its predictions, by patient."""
    try:
        cut = threshold.choose(rule, *out_of_fold.inner_rows(table))
    except LymphokitError as error:
        yield "decisions.csv", f"no threshold can be chosen again: {error}"
        return
    for found in rows["threshold"].unique():
        if not abs(found - cut) <= TOLERANCE:  # not >: NaN is a finding
            yield "decisions.csv", f"threshold {found:.6f}, its inner predictions give {cut:.6f}"
    scored = table[table["part"] != "inner"]
    expected = dict(zip(scored["patient"], scored["probability"], strict=True))
    columns = ["patient", "probability", "threshold", "decision"]
    for patient, probability, used, decision in rows[columns].itertuples(index=False, name=None):
        if not abs(probability - expected.pop(patient, np.nan)) <= TOLERANCE:
            yield patient, f"probability {probability:.6f} is not the one predicted"
        if bool(decision) != (probability >= used):
            yield patient, f"decision {decision} does not follow from the threshold"
    for patient in expected:
        yield str(patient), "has a prediction and no decision"


def check_blends(
    predictions: Tables,
    blends: Mapping[int, BlendRecord],
    patients: pd.DataFrame,
    *,
    recipes: Mapping[str, Recipe],
    rule: Rule,
) -> Check:
    """Fit every blend again from inner predictions and compare weights, voters, probabilities.

    recipes: how every blend was made. The labels of validation patients are hidden from the refit,
    so a blend that was chosen with them gives a different result.
    """
    faults, n_compared = [], 0
    entering = (model for recipe in recipes.values() for model in recipe.models)
    models = dict.fromkeys(model for model in entering if model not in recipes)
    for fold, record in blends.items():
        name = f"fold{fold}/blends"
        hidden = {model: _without_labels(predictions[fold, model]) for model in models}
        try:
            members = MemberPredictions.from_tables(hidden, patients)
            tables, chosen = blend_fold(members, recipes, rule)
        except LymphokitError as error:
            faults.append(Fault(name, f"cannot be fitted again: {error}", _BLEND))
            continue
        n_compared += sum(map(len, tables.values()))
        findings = [
            (name, f"chosen.json: {finding}") for finding in _differences(chosen, record.chosen)
        ]
        for blend, table in tables.items():
            found = record.predictions[record.predictions["blend"] == blend]
            findings += [
                (patient, f"{name}/predictions.csv: {blend} {finding}")
                for patient, finding in _probability_findings(table, found)
            ]
        faults += [Fault(patient, finding, _BLEND) for patient, finding in findings]
    compared = (
        f"{counted(len(blends) * len(recipes), 'blend')} of {len(models)} models fitted again, "
        f"validation labels hidden, {counted(n_compared, 'probability', 'probabilities')}: "
        f"{len(faults)} differ"
    )
    return Check("blends", compared, tuple(faults))


def _without_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The predictions, with labels in the inner rows only."""
    return table.assign(label=table["label"].where(table["part"] == "inner", -1))


def _probability_findings(table: pd.DataFrame, found: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Patients whose blended probability differs from that of the refit."""
    recorded = found.set_index("patient")["probability"].to_dict()
    for patient, expected in zip(table["patient"], table["probability"], strict=True):
        probability = recorded.get(patient, np.nan)
        if not abs(probability - expected) <= TOLERANCE:
            yield patient, f"is {probability}, refitted on inner predictions {expected:.6f}"


def _differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Differences of two trees of plain data, numbers beyond the tolerance."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found}):
            yield from _differences(expected.get(key), found.get(key), f"{place}.{key}".strip("."))
    elif isinstance(expected, float) and isinstance(found, int | float):
        if not abs(expected - found) <= TOLERANCE:
            yield f"{place} is {found:.6f}, chosen again {expected:.6f}"
    elif expected != found:
        yield f"{place} is {found}, chosen again {expected}"


def with_blends(predictions: Tables, blends: Mapping[int, BlendRecord]) -> Tables:
    """The predictions of models and blends together."""
    blended = {
        (fold, str(name)): rows[out_of_fold.COLUMNS]
        for fold, record in blends.items()
        for name, rows in record.predictions.groupby("blend", sort=False)
    }
    return {**predictions, **blended}
