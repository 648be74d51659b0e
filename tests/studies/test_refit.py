"""Stacked refits give what the models' classes give."""

import numpy as np
import pandas as pd
import pytest

from lymphokit.bags.packed import Bags, bags_of, clinical_of, labels_of
from lymphokit.cohort.folds import make_folds
from lymphokit.ensemble.blend import Stack
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table
from lymphokit.evaluation.uncertainty import score_table
from lymphokit.models.registry import create
from lymphokit.studies.permutation import observed_scores, require_agreement
from lymphokit.studies.refit import (
    TOLERANCE,
    Batch,
    RefitCohort,
    RefitError,
    choose_thresholds,
    principal_components,
    refit,
)
from tests.studies.cohorts import CHOSEN, FOLD_SETTINGS, labelled, patients_and_bank

RULE = "midpoint"


def predictions_of_class(name, bags, patients, folds):
    """predictions.csv of a model in every fold, as the workflow's rule makes them."""
    return [
        cross_predict(
            lambda seed: create(CHOSEN[name], seed=seed),
            bags,
            labels_of(patients),
            clinical_of(patients),
            fold,
            np.flatnonzero(patients["part"] == "test"),
            1,
        )
        for _, fold in folds.groupby("fold")
    ]


def in_order(tables, patients):
    return np.stack(
        [t.set_index("patient")["probability"].loc[patients].to_numpy() for t in tables]
    )


@pytest.fixture(scope="module")
def cohort_and_run():
    patients, bank = patients_and_bank(clinical=1.0, images=0.5)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    cohort = RefitCohort.from_tables(patients, CHOSEN, {"drawn": bank}, stack_C=0.1)
    bags = bags_of(patients, bank)
    return cohort, folds, {n: predictions_of_class(n, bags, patients, folds) for n in CHOSEN}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_refit_predicts_what_the_models_class_predicts(cohort_and_run, name):
    cohort, folds, run = cohort_and_run
    found = refit(cohort.models, cohort.batch(folds))[name][0]
    expected = in_order(run[name], cohort.patients["patient"])
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


@pytest.mark.parametrize("stack_C", [0.1, 10.0])
@pytest.mark.parametrize("images", [0.5, -0.5])
def test_a_stack_predicts_what_the_ensembles_stack_predicts(images, stack_C):
    patients, bank = patients_and_bank(clinical=1.0, images=images, n=45)
    # Overconfident, so that some weights are 0.
    chosen = {"pooled": {**CHOSEN["pooled"], "C": 50.0}}
    cohort = RefitCohort.from_tables(patients, chosen, {"drawn": bank}, stack_C=stack_C)
    plain = cohort.batch(make_folds(patients, seed=1, **FOLD_SETTINGS))
    rng = np.random.default_rng(5)
    labels = np.stack([cohort.labels, *(rng.permutation(cohort.labels) for _ in range(3))])
    unshuffled = np.tile(np.arange(45), (4, 1))
    batch = Batch(labels, unshuffled, np.tile(plain.inner, (4, 1, 1)), plain.repeat)
    refitted = refit(cohort.models, batch)
    clinical = clinical_of(cohort.patients)
    weights = []
    for fold in range(len(plain.repeat)):
        pooled, found = (each[:, fold] for each in refitted.values())
        for masks in batch.fits(fold):
            for at, label in enumerate(labels):
                fitted, predicted = (np.flatnonzero(mask[at]) for mask in masks)
                stack = Stack(models=["pooled"], image_models=["pooled"], C=stack_C)
                stack.fit(pooled[at, fitted, None], label[fitted], clinical.take(fitted))
                expected = stack.predict_proba(
                    pooled[at, predicted, None], clinical.take(predicted)
                )
                np.testing.assert_allclose(found[at, predicted], expected, atol=TOLERANCE)
                weights.append(stack.weights_[0])
    assert min(weights) == 0.0 < max(weights)  # both sides of the bound were met


def test_shuffled_bags_are_bags_of_other_patients():
    patients, bank = patients_and_bank(images=1.0, n_test=0)
    cohort = RefitCohort.from_tables(patients, CHOSEN, {"drawn": bank}, stack_C=0.1)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    plain = cohort.batch(folds)
    order = np.random.default_rng(2).permutation(len(cohort.labels))
    batch = Batch(cohort.labels[None], order[None], plain.inner, plain.repeat)
    found = refit(cohort.models, batch)["pooled"][0]
    taken = bags_of(patients, bank).take(order)
    names = tuple(patients["patient"])
    shuffled = Bags(taken.instances, taken.offsets, names)
    expected = in_order(predictions_of_class("pooled", shuffled, patients, folds), list(names))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_scores_and_decisions_are_those_of_the_score_table(cohort_and_run):
    cohort, folds, run = cohort_and_run
    decided = pd.concat(
        decision_table(table, model=name, fold=fold, repeat=1, rule=RULE)
        for name, tables in run.items()
        for fold, table in enumerate(tables, start=1)
    )
    expected = score_table(decided, list(CHOSEN), resamples=100, level=0.95, seed=0)
    found = observed_scores(cohort, cohort.batch(folds), RULE).set_index("model").loc[list(CHOSEN)]
    for metric in ("balanced_accuracy", "auc"):
        np.testing.assert_allclose(found[metric], expected[metric], atol=1e-12)


def test_thresholds_do_not_depend_on_validation_patients():
    cohort, folds = labelled(images=1.0)
    batch = cohort.batch(folds)
    found = refit(cohort.models, batch)["pooled"]
    other = np.where(batch.inner < 0, 0.5, found)
    before, after = (choose_thresholds(batch, each, RULE) for each in (found, other))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("width", [3, 300])
def test_components_beyond_the_rank_are_zero(width):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 2)) @ rng.normal(size=(2, width))
    found = principal_components(rows, np.arange(12), 8)
    assert found.shape == (20, 8)
    np.testing.assert_array_equal(found[:, 2:], 0.0)
    np.testing.assert_allclose(found[:12, 0].std(ddof=1), 1.0)


def test_a_run_with_other_settings_is_noticed(cohort_and_run):
    cohort, folds, run = cohort_and_run
    plain = cohort.batch(folds)
    require_agreement(cohort, plain, run)
    other = run["pooled"][1].assign(probability=lambda t: t["probability"] * 0.99)
    with pytest.raises(RefitError, match=r"pooled: in fold 2 "):
        require_agreement(cohort, plain, {"pooled": [run["pooled"][0], other]})
