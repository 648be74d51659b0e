"""The short cuts arrive where the long way does."""

import numpy as np
import pandas as pd
import pytest

from lymphokit.bags.packed import Bags
from lymphokit.bags.patients import bags_of, clinical_of, labels_of
from lymphokit.cohort.folds import make_folds
from lymphokit.ensemble.blend import Stack
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table
from lymphokit.evaluation.uncertainty import score_table
from lymphokit.models.registry import create
from lymphokit.studies import refit as refits
from lymphokit.studies.refit import Batch, Table, refit
from lymphokit.studies.refit_scores import (
    Labelled,
    RefitError,
    decide,
    require_agreement,
    score_as_it_is,
)
from tests.evaluation.cohorts import CHOSEN, FOLD_SETTINGS, labelled, patients_and_bank

RULE = "midpoint"


def the_long_way(patients, bank, folds, name):
    """predictions.csv of a model in every fold, as the workflow's own rule makes them."""
    block = CHOSEN[name]
    return [
        cross_predict(
            lambda seed: create(block, seed=seed),
            bags_of(patients, bank),
            labels_of(patients),
            clinical_of(patients),
            fold,
            np.flatnonzero(patients["part"] == "test"),
            1,
        )[0]
        for _, fold in folds.groupby("fold")
    ]


def in_order(tables, patients):
    return np.stack(
        [t.set_index("patient")["probability"].loc[patients].to_numpy() for t in tables]
    )


@pytest.fixture(scope="module")
def cohort_and_long_way():
    patients, bank = patients_and_bank(clinical=1.0, images=0.5)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    cohort = Labelled.of(patients, CHOSEN, {"drawn": bank}, stack_C=0.1)
    return cohort, folds, {name: the_long_way(patients, bank, folds, name) for name in CHOSEN}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_refit_says_what_the_models_own_class_says(cohort_and_long_way, name):
    cohort, folds, long_way = cohort_and_long_way
    said = refit(cohort.models, Batch.single(cohort.labels, cohort.plan(folds)))[name][0]
    expected = in_order(long_way[name], cohort.patients["patient"])
    np.testing.assert_allclose(said, expected, atol=refits.TOLERANCE)


@pytest.mark.parametrize("stack_C", [0.1, 10.0])
@pytest.mark.parametrize("images", [0.5, -0.5])
def test_a_stack_says_what_the_ensembles_stack_says(images, stack_C):
    patients, bank = patients_and_bank(clinical=1.0, images=images, n=45)
    chosen = {
        "pooled": {**CHOSEN["pooled"], "C": 50.0}
    }  # overconfident, so that some weights are 0
    cohort = Labelled.of(patients, chosen, {"drawn": bank}, stack_C=stack_C)
    plan = cohort.plan(make_folds(patients, seed=1, **FOLD_SETTINGS))
    rng = np.random.default_rng(5)
    labels = np.stack([cohort.labels, *(rng.permutation(cohort.labels) for _ in range(3))])
    own_bags = np.tile(np.arange(45), (4, 1))
    batch = Batch(labels, own_bags, np.tile(plan.inner, (4, 1, 1)))
    said = refit(cohort.models, batch)
    clinical = clinical_of(cohort.patients)
    weights = []
    for label, of_image, of_stack in zip(labels, *said.values(), strict=True):
        for inner, own, found in zip(plan.inner, of_image, of_stack, strict=True):
            for held_out in (0, 1, 2, None):
                training = (inner >= 0) if held_out is None else (inner >= 0) & (inner != held_out)
                of = (inner < 0) if held_out is None else inner == held_out
                stack = Stack(models=["pooled"], image_models=["pooled"], C=stack_C)
                stack.fit(own[training, None], label[training], clinical.take(training))
                expected = stack.predict_proba(own[of, None], clinical.take(of))
                np.testing.assert_allclose(found[of], expected, atol=refits.TOLERANCE)
                weights.append(stack.weights_[0])
    assert min(weights) == 0.0 < max(weights)  # both sides of the bound were met


def test_shuffled_bags_are_bags_that_others_have():
    patients, bank = patients_and_bank(images=1.0)
    cohort = Labelled.of(patients, CHOSEN, {"drawn": bank}, stack_C=0.1)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    plan, n = cohort.plan(folds), len(cohort.labels)
    order = np.random.default_rng(2).permutation(n)
    batch = Batch(cohort.labels[None], order[None], plan.inner[None])
    said = refit(cohort.models, batch)["pooled"][0]
    bags = bags_of(patients, bank).take(order)
    others = Bags(bags.instances, bags.offsets, tuple(cohort.patients["patient"]))
    block = CHOSEN["pooled"]
    for number, fold in folds.groupby("fold"):
        expected, _ = cross_predict(
            lambda seed: create(block, seed=seed),
            others,
            cohort.labels,
            clinical_of(cohort.patients),
            fold,
            np.array([], dtype=np.int64),
            1,
        )
        expected = expected.set_index("patient")["probability"].loc[list(others.ids)]
        np.testing.assert_allclose(said[number - 1], expected, atol=refits.TOLERANCE)


def test_scores_and_decisions_are_the_score_tables(cohort_and_long_way):
    cohort, folds, long_way = cohort_and_long_way
    decided = pd.concat(
        decision_table(table, model=name, fold=fold, repeat=1, rule=RULE)
        for name, tables in long_way.items()
        for fold, table in enumerate(tables, start=1)
    )
    expected = score_table(decided, list(CHOSEN), resamples=100, level=0.95, seed=0)
    found = score_as_it_is(cohort, cohort.plan(folds), RULE).set_index("model").loc[list(CHOSEN)]
    for metric in ("balanced_accuracy", "auc"):
        np.testing.assert_allclose(found[metric], expected[metric], atol=1e-12)


def test_thresholds_do_not_see_who_is_in_validation():
    cohort, folds = labelled(images=1.0)
    plan = cohort.plan(folds)
    batch = Batch.single(cohort.labels, plan)
    said = refit(cohort.models, batch)["pooled"]
    other = np.where(plan.inner < 0, 0.5, said)
    before, after = decide(batch, said, RULE)[0], decide(batch, other, RULE)[0]
    np.testing.assert_array_equal(before.thresholds, after.thresholds)


@pytest.mark.parametrize("width", [3, 300])
def test_components_that_are_not_there_are_zero_and_do_no_harm(width):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 2)) @ rng.normal(size=(2, width))
    prepared = Table(rows, 8).prepared(np.arange(12))
    assert prepared.shape == (20, 8)
    np.testing.assert_array_equal(prepared[:, 2:], 0.0)
    np.testing.assert_allclose(prepared[:12, 0].std(ddof=1), 1.0)


def test_what_is_free_of_labels_is_computed_once(monkeypatch):
    cohort, folds = labelled()
    plan, made = cohort.plan(folds), []
    original = Table._prepare
    monkeypatch.setattr(
        Table, "_prepare", lambda table, on: made.append(len(on)) or original(table, on)
    )
    n, n_cohorts = len(cohort.labels), 5
    labels = np.stack([np.random.default_rng(i).permutation(cohort.labels) for i in range(5)])
    bags, inner = np.tile(np.arange(n), (5, 1)), np.tile(plan.inner, (n_cohorts, 1, 1))
    cohort.models["pooled"].probabilities(Batch(labels, bags, inner))
    assert len(made) == 3 * (3 + 1)


def test_a_run_with_other_settings_is_noticed(cohort_and_long_way):
    cohort, folds, long_way = cohort_and_long_way
    plan = cohort.plan(folds)
    require_agreement(cohort, plan, long_way)
    other = long_way["pooled"][1].assign(probability=lambda t: t["probability"] * 0.99)
    with pytest.raises(RefitError, match=r"pooled: in fold 2 .* other settings"):
        require_agreement(cohort, plan, {"pooled": [long_way["pooled"][0], other]})
