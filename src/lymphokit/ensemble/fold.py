"""Nested ensembles of one fold: blends fitted and thresholds chosen on inner predictions alone.

A blend is fitted on the inner (out-of-fold) predictions of the training part. Its threshold is
chosen on inner predictions of the blend, from blends fitted on the other inner folds. As in all
stacking, the member predictions behind those come from models that were fitted on the held-out
inner fold too; validation patients enter no fit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from natsort import index_natsorted
from numpy.typing import NDArray

from lymphokit.bags.packed import Clinical, clinical_of
from lymphokit.ensemble.blend import Blend, BlendError, Choice, Mean, Product, Stack, Vote
from lymphokit.evaluation import out_of_fold, threshold
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.threshold import Rule

BLENDS = ("vote", "mean", "stack", "product", "images")
KEYS = [column for column in out_of_fold.COLUMNS if column != "probability"]
MARGIN_DECIMALS = 12  # a mean margin that is 0 except for rounding is a tie


@dataclass(frozen=True)
class MemberPredictions:
    """The predictions of all ensemble members for the patients of one fold.

    patients: n rows with the columns KEYS; probabilities (n, n_models); clinical, of the same
    patients.
    """

    patients: pd.DataFrame
    models: tuple[str, ...]
    probabilities: Floats
    clinical: Clinical

    @classmethod
    def from_tables(cls, predictions: Mapping[str, pd.DataFrame], patients: pd.DataFrame) -> Self:
        """Join each model's predictions in the fold with the table of patients.

        Raises BlendError without models, for a model with the name of a blend, or for models that
        predicted different patients.
        """
        taken = [model for model in predictions if model in BLENDS]
        if taken or not predictions:
            raise BlendError(f"no models to blend, or named as a blend is: {', '.join(taken)}")
        tables = {
            model: _in_natural_order(out_of_fold.validate(table))
            for model, table in predictions.items()
        }
        first, *others = tables
        unlike = [model for model in others if not tables[model][KEYS].equals(tables[first][KEYS])]
        if unlike:
            raise BlendError(f"{', '.join(unlike)} did not predict the patients of {first}")
        rows = tables[first][KEYS]
        return cls(
            rows,
            tuple(tables),
            np.column_stack([table["probability"].to_numpy() for table in tables.values()]),
            clinical_of(patients.set_index("patient").loc[rows["patient"]]),
        )

    @property
    def labels(self) -> Labels:
        """The labels of all rows, -1 for a test patient: (n,)."""
        return self.patients["label"].to_numpy(np.int64)

    @property
    def inner(self) -> NDArray[np.int64]:
        """The inner fold of all rows, -1 outside the training part: (n,)."""
        return self.patients["inner"].to_numpy(np.int64)

    def select(self, models: Sequence[str]) -> Self:
        """The same patients with the predictions of these models, in this order."""
        columns = [self.models.index(model) for model in models]
        return replace(self, models=tuple(models), probabilities=self.probabilities[:, columns])

    def joined(self, name: str, probabilities: Floats) -> Self:
        """The same patients with one more column of predictions (n,), those of a blend."""
        columns = np.column_stack([self.probabilities, probabilities])
        return replace(self, models=(*self.models, name), probabilities=columns)

    def fit(self, blend: Blend, rows: NDArray[np.integer]) -> Blend:
        """Fit a blend on the rows at these positions."""
        return blend.fit(self.probabilities[rows], self.labels[rows], self.clinical.take(rows))

    def predict(self, blend: Blend, rows: NDArray[np.integer]) -> Floats:
        """A fitted blend's probabilities of the rows at these positions."""
        return blend.predict_proba(self.probabilities[rows], self.clinical.take(rows))


@dataclass(frozen=True)
class Recipe:
    """How to make an unfitted blend, and the models that enter it."""

    models: tuple[str, ...]
    make: Callable[[], Blend]


def recipes(
    *,
    blended: Sequence[str],
    image_models: Sequence[str],
    best: int,
    stack_C: float,
    product: Mapping[str, Sequence[str]],
    choices: Mapping[str, Sequence[str]],
    rule: Rule,
) -> dict[str, Recipe]:
    """Every blend by name: vote, mean and stack of the models `blended`, product, choices.

    image_models: the models that use images; product: under `images` its models of images, with
    whose `images` blend it comes, and under `clinical` at most one; choices: by name, the models
    and other blends to choose among; rule: chooses thresholds; the rest are `ensemble` settings.
    Raises BlendError where no model is to be blended.
    """
    if not blended:
        raise BlendError("no model enters the blends; set enabled: true for one in config.yaml")
    models = tuple(blended)
    makers: dict[str, Callable[[], Blend]] = {
        "vote": partial(Vote, models=models, best=best, rule=rule),
        "mean": partial(Mean, models=models),
        "stack": partial(Stack, models=models, image_models=image_models, C=stack_C),
    }
    made = {name: Recipe(models, make) for name, make in makers.items()}
    seen, clinical = tuple(product["images"]), next(iter(product["clinical"]), None)
    if seen and clinical is not None:
        both = (*seen, clinical)
        made["product"] = Recipe(both, partial(Product, models=both, clinical=clinical))
    if seen:
        made["images"] = Recipe(seen, partial(Product, models=seen, clinical=None))
    for name, candidates in choices.items():
        among = tuple(candidates)
        made[name] = Recipe(among, partial(Choice, models=among, rule=rule))
    return made


def rule_for(model: str, rule: Rule) -> Rule:
    """The threshold rule of a model or a blend: the configured one, except `half` for the vote.

    A vote is the majority by definition; the configured rule chose its voters' thresholds.
    """
    return "half" if model == "vote" else rule


def blend_fold(
    members: MemberPredictions, blends: Mapping[str, Recipe], rule: Rule
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The rows of predictions.csv of every blend in one fold, and what each blend fitted or chose.

    members: predictions of all models that enter a blend. The second result is plain data for a
    JSON file: voters, ranking, weights, and the threshold that `decision_table` finds with
    `rule_for`.
    """
    tables, chosen = {}, {}
    for name, recipe in blends.items():
        probabilities, blend = _cross_fit(members.select(recipe.models), recipe.make)
        members = members.joined(name, probabilities)  # a choice may name the blends before it
        tables[name] = members.patients.assign(probability=probabilities)
        cut = threshold.choose(rule_for(name, rule), *out_of_fold.inner_rows(tables[name]))
        chosen[name] = {**blend.chosen(), "threshold": cut}
    return tables, chosen


def _cross_fit(members: MemberPredictions, make: Callable[[], Blend]) -> tuple[Floats, Blend]:
    """The blend's probabilities of all rows, and the blend fitted on all inner rows.

    An inner row is predicted by a blend fitted on the other inner folds, any other row by the
    blend fitted on all of them.
    """
    inner = members.inner
    probabilities = np.empty(len(inner))
    for held_out in np.unique(inner[inner >= 0]):
        others = np.flatnonzero((inner >= 0) & (inner != held_out))
        rows = np.flatnonzero(inner == held_out)
        probabilities[rows] = members.predict(members.fit(make(), others), rows)
    blend = members.fit(make(), np.flatnonzero(inner >= 0))
    rest = np.flatnonzero(inner < 0)
    probabilities[rest] = members.predict(blend, rest)
    return probabilities, blend


def submission_labels(decisions: pd.DataFrame, model: str) -> pd.DataFrame:
    """The labels to submit: `patient, margin, label`, in the natural order of patients.

    decisions: the long table with its test rows. The margin is the mean over all folds (and
    repeats) of probability minus the threshold of the fold; the label is 1 where it is 0 or more,
    so a tie is tumoral. Margins within 1e-12 of 0 are ties.
    Raises BlendError where a test patient was not predicted by every fold exactly once.
    """
    rows = decisions.loc[(decisions["part"] == "test") & (decisions["model"] == model)]
    folds = rows["fold"].nunique()
    by_patient = rows.groupby("patient")["fold"].agg(["size", "nunique"])
    uneven = by_patient.index[(by_patient != folds).any(axis=1)]
    if len(uneven) or not folds:
        raise BlendError(
            f"{model}: not every fold predicts every test patient once: "
            f"{', '.join(uneven) or 'no predictions'}; run the folds again"
        )
    margins = (rows["probability"] - rows["threshold"]).groupby(rows["patient"]).mean()
    table = margins.round(MARGIN_DECIMALS).rename("margin").reset_index()
    table["label"] = (table["margin"] >= 0).astype(int)
    return _in_natural_order(table)


def _in_natural_order(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by patient, P2 before P10."""
    order = index_natsorted(table["patient"])
    return table.iloc[order].reset_index(drop=True)
