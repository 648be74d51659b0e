"""Permutation test: could a model without any link to the label have scored as well?

Something is shuffled between the training patients, every fold model is refitted and thresholds
are chosen again on inner predictions. The scores of many shuffles are the null distribution; p is
(1 + shuffles that reach the observed score) / (1 + shuffles).

`labels`: labels are shuffled, and the folds drawn again from them. Folds are stratified by label,
so shuffled labels on the original folds are not what the pipeline would have seen: where
validation gets more tumoral patients, training gets fewer, predictions shift the wrong way, and
AUCs gather around 0.45. For age and count of 121 patients such a test at 5% rejects 13 true nulls
of 100, and 8 where labels are shuffled within validation parts; with new folds it rejects 5.
`images`: bags are shuffled; label, age, count and the folds stay as they are. A model of images,
age and count loses only the images' link, so this tests whether the images add anything. A bag
keeps its size, which predicts the label here, and bags may correlate with age and count, so two
more shuffles exchange bags between similar patients only:
`images_of_size`: between patients with about as many images. What remains is how cells look.
`images_of_risk`: between patients with about the same out-of-fold risk by age and count.

A p-value is about what the pipeline does, not about settings that a person chose by earlier scores.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from lymphokit.cohort.folds import make_folds
from lymphokit.evaluation.metrics import Floats
from lymphokit.evaluation.threshold import Rule
from lymphokit.progress import track
from lymphokit.studies.refit import (
    SCORES,
    TOLERANCE,
    Batch,
    ClinicalRefit,
    Positions,
    RefitCohort,
    RefitError,
    StackRefit,
    batch_scores,
    refit,
)

Shuffle = Literal["labels", "images", "images_of_size", "images_of_risk"]
SHUFFLES: tuple[Shuffle, ...] = get_args(Shuffle)
_BATCH = 25  # shuffles refitted together
_TIE = 1e-12  # scores nearer than this are equal but for rounding


def permutation_scores(
    cohort: RefitCohort,
    shuffle: Shuffle,
    numbers: Sequence[int],
    *,
    folds: pd.DataFrame,
    fold_settings: Mapping[str, Any],
    rule: Rule,
    neighbours: int,
    seed: int,
) -> pd.DataFrame:
    """The scores of the models after these shuffles: `model, shuffle, number`, then `SCORES`.

    numbers: which shuffles; each has its seed, so that any division into jobs gives the same;
    folds: the run's folds.csv; fold_settings: those `make_folds` takes; neighbours: how many
    similar patients exchange bags. Shuffles of bags score the stacks only, which see age and count
    besides the images.
    Raises RefitError for `images_of_risk` without a clinical model.
    """
    plain = cohort.batch(folds)
    similarity = _similarity(cohort, plain, shuffle)
    tables = []
    what = f"shuffled {shuffle.replace('_', ' ')}, in batches of {_BATCH}"
    for start in track(range(0, len(numbers), _BATCH), what):
        some = numbers[start : start + _BATCH]
        draws = [np.random.default_rng([seed, SHUFFLES.index(shuffle), number]) for number in some]
        if shuffle == "labels":
            batch = _labels_shuffled(cohort, draws, fold_settings, seed)
        else:
            orders = [shuffle_similar(similarity, neighbours, draw) for draw in draws]
            batch = _bags_shuffled(plain, orders)
        for model, scores in _scores(cohort, batch, shuffle, rule).items():
            tables.append(scores.assign(model=model, shuffle=shuffle, number=list(some)))
    return pd.concat(tables, ignore_index=True)[["model", "shuffle", "number", *SCORES]]


def shuffle_similar(similarity: Floats, neighbours: int, draw: np.random.Generator) -> Positions:
    """A shuffle of positions between similar patients: (n,).

    similarity (n,): patients are sorted by it, ties in random order, and cut into groups of about
    `neighbours`, each of which is shuffled. Where all are equal, all are shuffled together.
    """
    if np.all(similarity == similarity[0]):
        return draw.permutation(len(similarity))
    order = np.lexsort((draw.random(len(similarity)), similarity))
    shuffled = np.arange(len(similarity))
    for group in np.array_split(order, max(1, len(similarity) // neighbours)):
        shuffled[group] = draw.permutation(group)
    return shuffled


def permutation_table(observed: pd.DataFrame, null: pd.DataFrame) -> pd.DataFrame:
    """Observed scores against their null distributions: a row for each model, shuffle and score.

    observed: `model` and `SCORES`; null: as of `permutation_scores`. Columns `model, shuffle,
    metric, observed, null_median, null_high, shuffles, p`; null_high is exceeded by 5 shuffles of
    100, p is the one-sided p-value, never below 1 / (shuffles + 1).
    Source: Phipson and Smyth 2010, permutation p-values should never be zero.
    """
    scores = observed.set_index("model").to_dict("index")
    rows = []
    for (shuffle, model), shuffles in null.groupby(["shuffle", "model"], sort=False):
        for metric in SCORES:
            score = float(scores[model][metric])
            by_chance = shuffles[metric].to_numpy(np.float64)
            reached = int((by_chance >= score - _TIE).sum())
            rows.append(
                {
                    "model": model,
                    "shuffle": shuffle,
                    "metric": metric,
                    "observed": score,
                    "null_median": float(np.median(by_chance)),
                    "null_high": float(np.quantile(by_chance, 0.95)),
                    "shuffles": len(by_chance),
                    "p": (1 + reached) / (1 + len(by_chance)),
                }
            )
    return pd.DataFrame(rows)


def observed_scores(cohort: RefitCohort, plain: Batch, rule: Rule) -> pd.DataFrame:
    """The scores without a shuffle: `model` and a column for each of `SCORES`."""
    scores = {
        name: batch_scores(plain, probabilities, rule)
        for name, probabilities in refit(cohort.models, plain).items()
    }
    return pd.concat(scores, names=["model"]).reset_index("model")


def require_agreement(
    cohort: RefitCohort, plain: Batch, predictions: Mapping[str, Sequence[pd.DataFrame]]
) -> None:
    """Raise RefitError where a refit differs from the run's model.

    plain: the cohort itself; predictions: for each model to be compared its predictions.csv in
    every fold.
    """
    refitted = refit(cohort.models, plain)
    for name, folds in predictions.items():
        for place, table in enumerate(folds):
            run = table.set_index("patient")["probability"].reindex(cohort.patients["patient"])
            difference = np.abs(run.to_numpy(np.float64) - refitted[name][0, place]).max()
            if not difference <= TOLERANCE:
                raise RefitError(
                    f"{name}: in fold {place + 1} the refit differs by {difference:.1g} from the "
                    "run's probabilities: its model was fitted with other settings or features; "
                    "delete its folder and run again"
                )


def _similarity(cohort: RefitCohort, plain: Batch, shuffle: Shuffle) -> Floats:
    """What patients who exchange bags must have in common: (n,), all equal where nothing."""
    if shuffle == "images_of_size":
        return cohort.patients["n_cells"].to_numpy(np.float64)
    if shuffle == "images_of_risk":
        return _clinical_risk(cohort, plain)
    return np.zeros(len(cohort.labels))


def _clinical_risk(cohort: RefitCohort, plain: Batch) -> Floats:
    """Out-of-fold probability of the clinical model, averaged over repeats: (n,).

    Patients that are in no validation part get the average of their inner predictions.
    """
    name = cohort.clinical_model
    if name is None:
        raise RefitError(
            "no model of kind clinical_logistic predicts the risk by age and count: "
            "add one to permutation.models"
        )
    probabilities = refit({name: cohort.models[name]}, plain)[name][0]  # (n_folds, n)
    validated = plain.inner[0] < 0
    weights = np.where(validated.any(axis=0), validated, 1.0)
    return np.asarray(np.average(probabilities, axis=0, weights=weights))


def _labels_shuffled(
    cohort: RefitCohort,
    draws: Sequence[np.random.Generator],
    fold_settings: Mapping[str, Any],
    seed: int,
) -> Batch:
    """A cohort for each draw: labels shuffled between patients, folds stratified by them."""
    labels = np.stack([draw.permutation(cohort.labels) for draw in draws])
    drawn = [
        cohort.batch(make_folds(cohort.patients.assign(label=shuffled), seed=seed, **fold_settings))
        for shuffled in labels
    ]
    unshuffled = np.tile(np.arange(len(cohort.labels)), (len(draws), 1))
    inner = np.concatenate([each.inner for each in drawn])
    return Batch(labels, unshuffled, inner, drawn[0].repeat)


def _bags_shuffled(plain: Batch, orders: Sequence[Positions]) -> Batch:
    """A cohort for each order of the bags; nothing else changes."""
    n = len(orders)
    labels, inner = np.tile(plain.labels, (n, 1)), np.tile(plain.inner, (n, 1, 1))
    return Batch(labels, np.stack(orders), inner, plain.repeat)


def _scores(
    cohort: RefitCohort, batch: Batch, shuffle: Shuffle, rule: Rule
) -> dict[str, pd.DataFrame]:
    """The scores in each cohort of the batch, by model that the shuffle is about."""
    models = dict(cohort.models)
    if shuffle != "labels":  # a clinical model does not change, a pooled one says nothing new
        models = {name: m for name, m in models.items() if not isinstance(m, ClinicalRefit)}
    return {
        name: batch_scores(batch, probabilities, rule)
        for name, probabilities in refit(models, batch).items()
        if shuffle == "labels" or isinstance(models[name], StackRefit)
    }
