"""What each model of images adds to age and count: alone, joined with them, and the difference."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from rich.table import Column, Table

from lymphokit.ensemble.blend import Product
from lymphokit.ensemble.fold import MemberPredictions, Recipe, blend_fold
from lymphokit.evaluation.metrics import Metric
from lymphokit.evaluation.out_of_fold import decision_table
from lymphokit.evaluation.threshold import Rule
from lymphokit.evaluation.uncertainty import Outcomes, difference, interval, patient_draws
from lymphokit.figures.terminal_tables import number_columns, with_interval

METRICS: tuple[Metric, ...] = ("balanced_accuracy", "auc")
Predictions = Mapping[str, Sequence[pd.DataFrame]]


def image_model_table(
    predictions: Predictions,
    patients: pd.DataFrame,
    repeat_of: Mapping[int, int],
    *,
    clinical: str,
    rule: Rule,
    resamples: int,
    level: float,
    seed: int,
) -> pd.DataFrame:
    """A row for every model of images.

    predictions: of each model of images, and of the model `clinical`, its predictions.csv in every
    fold; patients: patients.csv; repeat_of: the repeat of each fold, in order; rule: chooses
    thresholds on inner predictions. Columns `model`, then for each metric `balanced_accuracy` and
    `auc` the score of the images alone (`alone_<metric>`), of the product of this model and the
    clinical one (`joined_<metric>`), and the paired difference of that to the clinical model
    (`gain_<metric>`), each with `_low` and `_high`; `n_patients`.
    """
    decisions = pd.concat(
        _decisions(predictions, patients, clinical, rule, place, fold, repeat)
        for place, (fold, repeat) in enumerate(repeat_of.items())
    )
    models = [name for name in predictions if name != clinical]
    names = [*models, *map(_joined, models), clinical]
    outcomes = Outcomes.from_decisions(decisions, names)
    draws = patient_draws(outcomes.labels, resamples=resamples, seed=seed)
    rows = []
    for model in models:
        row: dict[str, Any] = {"model": model}
        for metric in METRICS:
            found = {
                f"alone_{metric}": interval(outcomes, model, metric, draws, level),
                f"joined_{metric}": interval(outcomes, _joined(model), metric, draws, level),
                f"gain_{metric}": difference(
                    outcomes, _joined(model), clinical, metric, draws, level
                ),
            }
            for name, each in found.items():
                row |= each.columns(name)
        rows.append(row | {"n_patients": len(outcomes.patients)})
    return pd.DataFrame(rows)


def image_models_terminal_table(table: pd.DataFrame, *, folds: str, level: float) -> Table:
    """Format the table for a terminal; folds: such as "5 folds"."""
    shown = Table(
        Column("model", no_wrap=True),
        *number_columns("alone: balanced accuracy", "AUC", "with age and count", "AUC"),
        *number_columns("gain over age and count", "AUC"),
        title=f"Models of images, {folds}, n = {table['n_patients'].max()} patients",
        caption=f"brackets: {level:.0%} bootstrap intervals, widened because training sets overlap",
    )
    for row in table.to_dict("records"):
        cells = []
        for part, sign in (("alone", ""), ("joined", ""), ("gain", "+")):
            for metric in METRICS:
                name = f"{part}_{metric}"
                each = (row[name], row[f"{name}_low"], row[f"{name}_high"])
                cells.append(with_interval(*each, sign=sign))
        shown.add_row(str(row["model"]), *cells)
    return shown


def _decisions(
    predictions: Predictions,
    patients: pd.DataFrame,
    clinical: str,
    rule: Rule,
    place: int,
    fold: int,
    repeat: int,
) -> pd.DataFrame:
    """Decisions of all models and of their products with the clinical one, in one fold."""
    tables = {name: folds[place] for name, folds in predictions.items()}
    recipes = {
        _joined(name): Recipe(
            (name, clinical), partial(Product, models=(name, clinical), clinical=clinical)
        )
        for name in tables
        if name != clinical
    }
    joined, _ = blend_fold(MemberPredictions.from_tables(tables, patients), recipes, rule)
    return pd.concat(
        decision_table(table, model=name, fold=fold, repeat=repeat, rule=rule)
        for name, table in {**tables, **joined}.items()
    )


def _joined(model: str) -> str:
    return f"{model} with age and count"
