"""Could a model without any link to the label have scored as well?

A permutation test through the pipeline: something is shuffled between the training patients,
every fold model is refitted, thresholds are chosen anew on inner predictions, and the scores of
many such shuffles are what chance gives. p is (1 + shuffles that reach the score) / (1 + all).

`labels`: labels are shuffled, and the folds drawn anew from them. Folds are stratified by label,
so shuffled labels on the old folds are not what the pipeline would have seen: where validation
gets more tumoral patients training gets fewer, models lean the wrong way, and AUCs gather around
0.45. For age and count of 121 patients such a test at 5% rejects 13 true nulls of 100, and 8
where labels are shuffled within validation parts; with the folds drawn anew it is 5.
`images`: bags are shuffled; label, age, count and the folds stay as they are. A model of images,
age and count loses the images' link alone, so this answers whether the images add anything. Bags
take their sizes along, and sizes tell labels here, and bags may go with age and count, so two
more shuffle bags among like patients only:
`images_of_size`: among patients with about as many images. What then counts is how cells look.
`images_of_risk`: among patients whom age and count call about as likely tumoral.

A p-value speaks of what the pipeline does, not of settings that a person chose by earlier scores.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.cohort.folds import make_folds
from lymphokit.evaluation.metrics import Floats
from lymphokit.evaluation.threshold import Rule
from lymphokit.progress import track
from lymphokit.studies.refit import Batch, Plan, Positions, StackRefit, TableRefit, refit
from lymphokit.studies.refit_scores import SCORES, Labelled, RefitError, decide
from lymphokit.studies.shuffles import SHUFFLES, Shuffle

_AT_ONCE = 25  # shuffles refitted beside each other
_TIE = 1e-12  # scores nearer than this are equal but for rounding


def null_scores(
    cohort: Labelled,
    shuffle: Shuffle,
    numbers: Sequence[int],
    *,
    folds: pd.DataFrame,
    fold_settings: Mapping[str, Any],
    rule: Rule,
    neighbours: int,
    seed: int,
) -> pd.DataFrame:
    """The scores of all models in these shuffles: `model, shuffle, number`, then `SCORES`.

    numbers: which shuffles, each with a seed of its own, so that any division into jobs gives the
    same; folds: the run's, folds.csv; fold_settings: those `make_folds` takes; neighbours: how
    many like patients exchange bags. Shuffles of bags are told of the stacks alone, which see
    age and count beside the images.
    Raises RefitError for `images_of_risk` without a clinical model.
    """
    plan = cohort.plan(folds)
    alike = _alike_by(cohort, plan, shuffle)
    tables = []
    what = f"shuffled {shuffle.replace('_', ' ')}, {_AT_ONCE} at once"
    for start in track(range(0, len(numbers), _AT_ONCE), what):
        some = numbers[start : start + _AT_ONCE]
        draws = [np.random.default_rng([seed, SHUFFLES.index(shuffle), one]) for one in some]
        if shuffle == "labels":
            batch = _labels_shuffled(cohort, draws, fold_settings, seed)
        else:
            orders = [exchanged(alike, neighbours, draw) for draw in draws]
            batch = _bags_shuffled(cohort, plan, orders)
        tables += _scored(cohort, batch, plan.repeat, shuffle, some, rule)
    return pd.concat(tables, ignore_index=True)


def exchanged(alike: Floats, neighbours: int, draw: np.random.Generator) -> Positions:
    """A shuffle of positions among patients who are alike: (n,).

    alike (n,): patients are sorted by it, equal ones at random, and cut into groups of about
    `neighbours`, each of which is shuffled; all together where all are equal.
    """
    if np.all(alike == alike[0]):
        return draw.permutation(len(alike))
    order = np.lexsort((draw.random(len(alike)), alike))
    shuffled = np.arange(len(alike))
    for group in np.array_split(order, max(1, len(alike) // neighbours)):
        shuffled[group] = draw.permutation(group)
    return shuffled


def permutation_table(observed: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    """What chance gives beside what was observed, a row a model, shuffle and score.

    observed: `model` and `SCORES`; null: as of `null_scores`. Columns `model, shuffle, metric,
    observed, null_median, null_high, shuffles, p`; null_high is what 5 shuffles of 100 exceed, p
    the one-sided p-value, never below 1 / (shuffles + 1).
    Source: Phipson and Smyth 2010, permutation p-values should never be zero.
    """
    found = {row["model"]: row for row in observed.to_dict("records")}
    rows = []
    for (shuffle, model), own in null.groupby(["shuffle", "model"], sort=False):
        for metric in SCORES:
            score, chance = float(found[str(model)][metric]), own[metric].to_numpy(np.float64)
            reached = int((chance >= score - _TIE).sum())
            rows.append(
                {
                    "model": model,
                    "shuffle": shuffle,
                    "metric": metric,
                    "observed": score,
                    "null_median": float(np.median(chance)),
                    "null_high": float(np.quantile(chance, 0.95)),
                    "shuffles": len(chance),
                    "p": (1 + reached) / (1 + len(chance)),
                }
            )
    return pd.DataFrame(rows)


def _alike_by(cohort: Labelled, plan: Plan, shuffle: Shuffle) -> Floats:
    """What patients who exchange bags are alike by: (n,), all equal where anybody may."""
    if shuffle == "images_of_size":
        return cohort.sizes.astype(np.float64)
    if shuffle != "images_of_risk":
        return np.zeros(len(cohort.labels))
    risk = cohort.clinical_risk(plan)
    if risk is None:
        raise RefitError(
            "no model of kind clinical_logistic says who is alike in age and count: "
            "add one to permutation.models"
        )
    return risk


def _labels_shuffled(
    cohort: Labelled,
    draws: Sequence[np.random.Generator],
    fold_settings: Mapping[str, Any],
    seed: int,
) -> Batch:
    """A cohort a draw, labels shuffled between patients and folds drawn by them."""
    labels = np.stack([draw.permutation(cohort.labels) for draw in draws])
    plans = [
        cohort.plan(make_folds(cohort.patients.assign(label=own), seed=seed, **fold_settings))
        for own in labels
    ]
    own_bags = np.tile(np.arange(len(cohort.labels)), (len(draws), 1))
    return Batch(labels, own_bags, np.stack([plan.inner for plan in plans]))


def _bags_shuffled(cohort: Labelled, plan: Plan, orders: Sequence[Positions]) -> Batch:
    """A cohort an order, all as it is but whose bag each patient has."""
    n = len(orders)
    labels: NDArray[np.int64] = np.tile(cohort.labels, (n, 1))
    return Batch(labels, np.stack(list(orders)), np.tile(plan.inner, (n, 1, 1)))


def _scored(
    cohort: Labelled,
    batch: Batch,
    repeat: Positions,
    shuffle: Shuffle,
    numbers: Sequence[int],
    rule: Rule,
) -> list[pd.DataFrame]:
    """The scores of the models that the shuffle is about."""
    models, told = dict(cohort.models), set(cohort.models)
    if shuffle != "labels":
        told = {name for name, model in models.items() if isinstance(model, StackRefit)}
        models = {
            name: model
            for name, model in models.items()
            if not isinstance(model, TableRefit) or model.of_bags
        }
    tables = []
    for name, said in refit(models, batch).items():
        if name in told:
            scores = [verdicts.scores(repeat) for verdicts in decide(batch, said, rule)]
            table = pd.DataFrame(scores)
            table.insert(0, "model", name)
            table.insert(1, "shuffle", shuffle)
            table.insert(2, "number", list(numbers))
            tables.append(table)
    return tables
