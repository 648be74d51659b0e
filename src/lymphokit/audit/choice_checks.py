"""Thresholds, voters and weights, chosen again on inner predictions, all other labels hidden."""

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

TOLERANCE = 1e-6  # of a probability, a threshold or a weight: other processors round otherwise
_DECIDE = "decide again: delete decisions.csv and run"
_BLEND = "blend again: delete the folder blends of this fold and run"


@dataclass(frozen=True)
class BlendRecord:
    """What the blends of one fold left behind: predictions with a column `blend`, chosen.json."""

    predictions: pd.DataFrame
    chosen: dict[str, Any]


def check_thresholds(predictions: Tables, decisions: pd.DataFrame, rule: Rule) -> Check:
    """Choose every threshold of decisions.csv again, on the inner rows of its predictions alone.

    predictions: of each (fold, model), the blends among them. Probabilities and decisions must
    follow from the predictions and the threshold, and no model may be missing.
    """
    faults, n_decisions = [], 0
    told = dict(iter(decisions.groupby(["fold", "model"])))
    for (fold, model), table in predictions.items():
        where = f"fold {fold}, {model}"
        rows = told.get((fold, model), decisions.iloc[:0])
        n_decisions += len(rows)
        faults += [
            Fault(patient, f"decisions.csv, {where}: {finding}", _DECIDE)
            for patient, finding in _of_decisions(table, rows, rule_for(model, rule))
        ]
    for stray in sorted(set(told) - set(predictions), key=str):
        finding = f"has decisions of {stray} (fold, model), of which there are no predictions"
        faults.append(Fault("decisions.csv", finding, _DECIDE))
    compared = (
        f"{counted(len(predictions), 'threshold')} chosen again on inner predictions, "
        f"{counted(n_decisions, 'decision')}: {len(faults)} differ"
    )
    return Check("thresholds", compared, tuple(faults))


def _of_decisions(table: pd.DataFrame, rows: pd.DataFrame, rule: Rule) -> Iterator[tuple[str, str]]:
    """Where the decisions of one model in one fold do not follow, by patient or file."""
    inner = table[table["part"] == "inner"]
    labels, said = inner["label"].to_numpy(np.int64), inner["probability"].to_numpy(np.float64)
    try:
        cut = threshold.choose(rule, labels, said)
    except LymphokitError as error:
        yield "decisions.csv", f"no threshold can be chosen again: {error}"
        return
    for given in rows["threshold"].unique():
        if not abs(given - cut) <= TOLERANCE:
            yield "decisions.csv", f"threshold {given:.6f}, its inner predictions give {cut:.6f}"
    expected = table[table["part"] != "inner"].set_index("patient")["probability"].to_dict()
    decided = rows["probability"] >= rows["threshold"]
    for row, should in zip(rows.itertuples(), decided, strict=True):
        patient = str(row.patient)
        if not abs(row.probability - expected.pop(patient, np.nan)) <= TOLERANCE:
            yield patient, f"probability {row.probability:.6f} is not the one predicted"
        if bool(row.decision) != should:
            yield patient, f"decision {row.decision} does not follow from the threshold"
    for left in expected:
        yield str(left), "has a prediction and no decision"


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
    so a blend that was chosen with their help comes out different.
    """
    faults, n_compared = [], 0
    models = dict.fromkeys(model for recipe in recipes.values() for model in recipe.models)
    for fold, made in blends.items():
        name = f"fold{fold}/blends"
        try:
            tables, chosen = blend_fold(
                MemberPredictions.from_tables(
                    {model: _hidden(predictions[fold, model]) for model in models}, patients
                ),
                recipes,
                rule,
            )
        except LymphokitError as error:
            faults.append(Fault(name, f"cannot be fitted again: {error}", _BLEND))
            continue
        n_compared += sum(map(len, tables.values()))
        faults += [
            Fault(name, f"chosen.json: {finding}", _BLEND)
            for finding in _differences(chosen, made.chosen)
        ]
        for blend, table in tables.items():
            given = made.predictions[made.predictions["blend"] == blend]
            faults += [
                Fault(patient, f"{name}/predictions.csv: {blend} {finding}", _BLEND)
                for patient, finding in _unlike(table, given)
            ]
    compared = (
        f"{counted(len(blends) * len(recipes), 'blend')} of {len(models)} models fitted again, "
        f"validation labels hidden, {counted(n_compared, 'probability', 'probabilities')}: "
        f"{len(faults)} differ"
    )
    return Check("blends", compared, tuple(faults))


def _hidden(table: pd.DataFrame) -> pd.DataFrame:
    """Predictions in which nobody but the inner rows has a label."""
    return table.assign(label=table["label"].where(table["part"] == "inner", -1))


def _unlike(table: pd.DataFrame, given: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Whose blended probability is another one than that of the refit."""
    told = given.set_index("patient")["probability"].to_dict()
    for patient, expected in table[["patient", "probability"]].itertuples(index=False, name=None):
        if not abs(told.get(patient, np.nan) - expected) <= TOLERANCE:
            found = told.get(patient, "nothing")
            yield patient, f"says {found}, refitted on inner predictions {expected:.6f}"


def _differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where two trees of plain data differ, numbers by more than the tolerance."""
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
        (fold, name): made.predictions.loc[made.predictions["blend"] == name, out_of_fold.COLUMNS]
        for fold, made in blends.items()
        for name in made.predictions["blend"].unique()
    }
    return {**predictions, **blended}
