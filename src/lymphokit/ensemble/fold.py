"""The blends of one fold, with nothing chosen on the patients they are scored on.

A blend is fitted on the inner predictions of the fold's training part, which come from models
that had not seen the patients. Its own inner predictions, on which its threshold is chosen, come
from blends fitted on the other inner folds. (The models whose predictions those are fitted on did
see the held-out inner fold, as in all stacking; validation patients are seen by nothing.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd
from natsort import index_natsorted
from numpy.typing import NDArray

from lymphokit.bags.packed import Clinical
from lymphokit.ensemble.blend import Blend, BlendError, Choice, Mean, Stack, Vote
from lymphokit.evaluation import out_of_fold, threshold
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.evaluation.threshold import Rule

BLENDS = ("vote", "mean", "stack")
KEYS = [column for column in out_of_fold.COLUMNS if column != "probability"]
MARGIN_DECIMALS = 12  # a mean margin that is 0 but for rounding is a tie


@dataclass(frozen=True)
class MemberPredictions:
    """What all models say about the patients of one fold.

    patients (n,) the rows `patient, part, inner, label`; probabilities (n, n_models); clinical of
    the same patients.
    """

    patients: pd.DataFrame
    models: tuple[str, ...]
    probabilities: Floats
    clinical: Clinical

    @classmethod
    def from_tables(cls, predictions: Mapping[str, pd.DataFrame], patients: pd.DataFrame) -> Self:
        """From each model's predictions in the fold and the table of patients.

        Raises BlendError without models, for a model called as a blend is, or for models that
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
        clinical = patients.set_index("patient").loc[rows["patient"]]
        return cls(
            rows,
            tuple(tables),
            np.column_stack([table["probability"].to_numpy() for table in tables.values()]),
            Clinical(
                clinical["age_years"].to_numpy(np.float64),
                clinical["lymphocytes_giga_per_litre"].to_numpy(np.float64),
            ),
        )

    @property
    def labels(self) -> Labels:
        """The labels of all rows, -1 for a test patient: (n,)."""
        return self.patients["label"].to_numpy(np.int64)

    @property
    def inner(self) -> NDArray[np.int64]:
        """The inner fold of all rows, -1 outside the training part: (n,)."""
        return self.patients["inner"].to_numpy(np.int64)

    def only(self, models: Sequence[str]) -> Self:
        """The same patients, and of these models alone what they say, in this order."""
        columns = [self.models.index(model) for model in models]
        return replace(self, models=tuple(models), probabilities=self.probabilities[:, columns])

    def fit(self, blend: Blend, on: NDArray[np.integer]) -> Blend:
        """Fit a blend on the rows at these positions."""
        return blend.fit(self.probabilities[on], self.labels[on], self.clinical.take(on))

    def predict(self, blend: Blend, of: NDArray[np.integer]) -> Floats:
        """A fitted blend's probabilities of the rows at these positions."""
        return blend.predict_proba(self.probabilities[of], self.clinical.take(of))


@dataclass(frozen=True)
class Recipe:
    """A blend to be: the models that enter it, and how one that is not fitted is made."""

    models: tuple[str, ...]
    make: Callable[[], Blend]


def recipes(
    *,
    blended: Sequence[str],
    image_models: Sequence[str],
    best: int,
    stack_C: float,
    choices: Mapping[str, Sequence[str]],
    rule: Rule,
) -> dict[str, Recipe]:
    """Every blend by name: vote, mean and stack of the models `blended`, and the choices.

    image_models: the models that see images; choices: for the name of each choice the models that
    it is made among; rule: how thresholds are chosen; the rest are the `ensemble` settings.
    Raises BlendError where no model is to be blended.
    """
    if not blended:
        raise BlendError("no model enters the blends; set enabled: true for one in config.yaml")
    everyone = tuple(blended)
    made: dict[str, Recipe] = {
        "vote": Recipe(everyone, lambda: Vote(models=everyone, best=best, rule=rule)),
        "mean": Recipe(everyone, lambda: Mean(models=everyone)),
        "stack": Recipe(
            everyone, lambda: Stack(models=everyone, image_models=image_models, C=stack_C)
        ),
    }
    for name, models in choices.items():
        among = tuple(models)
        made[name] = Recipe(among, partial(Choice, models=among, rule=rule))
    return made


def rule_for(model: str, rule: Rule) -> Rule:
    """The rule of a model's or a blend's threshold: the configured one, but a vote's is half.

    A vote is the majority by definition, and its voters' thresholds have followed the rule.
    """
    return "half" if model == "vote" else rule


def blend_fold(
    panel: MemberPredictions, blends: Mapping[str, Recipe], rule: Rule
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Every blend's rows of predictions.csv for one fold, and what was chosen to make them.

    panel: what all models that enter some blend say. Chosen (plain data for a JSON file): for each
    blend its voters, ranking, weights and the threshold that `decision_table` finds
    with `rule_for`.
    """
    tables, chosen = {}, {}
    for name, recipe in blends.items():
        probabilities, blend = _cross_fit(panel.only(recipe.models), recipe.make)
        tables[name] = panel.patients.assign(probability=probabilities)
        inner = panel.inner >= 0
        cut = threshold.choose(rule_for(name, rule), panel.labels[inner], probabilities[inner])
        chosen[name] = {**blend.chosen(), "threshold": cut}
    return tables, chosen


def _cross_fit(panel: MemberPredictions, make: Callable[[], Blend]) -> tuple[Floats, Blend]:
    """The blend's probabilities of all rows, and the blend fitted on all inner rows.

    An inner row is predicted by a blend fitted on the other inner folds, all else by the last.
    """
    inner = panel.inner
    probabilities = np.empty(len(inner))
    for held_out in np.unique(inner[inner >= 0]):
        others = np.flatnonzero((inner >= 0) & (inner != held_out))
        of = np.flatnonzero(inner == held_out)
        probabilities[of] = panel.predict(panel.fit(make(), others), of)
    blend = panel.fit(make(), np.flatnonzero(inner >= 0))
    rest = np.flatnonzero(inner < 0)
    probabilities[rest] = panel.predict(blend, rest)
    return probabilities, blend


def submission_labels(decisions: pd.DataFrame, model: str) -> pd.DataFrame:
    """The labels to submit: `patient, margin, label`, in the natural order of patients.

    decisions: the long table with its test rows. Every fold's model votes with how far it lies
    above its own threshold; margin is the mean of that over all folds (and repeats), and the label
    is 1 where it is 0 or more, so a tie is tumoral. Margins within 1e-12 of 0 are ties.
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
