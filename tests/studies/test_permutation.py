"""p-values that are right where nothing is there, and small where something is."""

import numpy as np
import pandas as pd
import pytest

from lymphokit.cohort.folds import make_folds
from lymphokit.studies.permutation import (
    SHUFFLES,
    observed_scores,
    permutation_scores,
    permutation_table,
    shuffle_similar,
)
from lymphokit.studies.refit import (
    Batch,
    RefitCohort,
    RefitError,
    batch_scores,
    refit,
    stack_name,
)
from tests.studies.cohorts import CHOSEN, FOLD_SETTINGS, labelled, patients_and_bank

RULE = "midpoint"
STACK = stack_name("pooled")
SHUFFLED = 39
LEAST = 1 / (SHUFFLED + 1)


def null(cohort, folds, shuffle, numbers, neighbours=6):
    return permutation_scores(
        cohort,
        shuffle,
        numbers,
        folds=folds,
        fold_settings=FOLD_SETTINGS,
        rule=RULE,
        neighbours=neighbours,
        seed=3,
    )


def p_values(cohort, folds, shuffle, n=SHUFFLED):
    observed = observed_scores(cohort, cohort.batch(folds), RULE)
    table = permutation_table(observed, null(cohort, folds, shuffle, range(1, n + 1)))
    return table.set_index(["model", "metric"])["p"]


def test_p_counts_shuffles_that_reach_the_score_and_is_never_zero():
    observed = pd.DataFrame({"model": ["a"], "balanced_accuracy": [0.7], "auc": [0.9]})
    chance = pd.DataFrame(
        {
            "model": "a",
            "shuffle": "labels",
            "number": range(4),
            "balanced_accuracy": [0.5, 0.7 - 1e-15, 0.8, 0.6],  # one ties but for rounding
            "auc": [0.5, 0.5, 0.5, 0.6],
        }
    )
    table = permutation_table(observed, chance).set_index("metric")
    assert table.loc["balanced_accuracy", "p"] == 3 / 5
    assert table.loc["auc", "p"] == 1 / 5
    assert table.loc["auc", "null_median"] == 0.5


def test_a_link_of_images_is_found_and_is_not_given_to_age_and_count():
    p = p_values(*labelled(images=1.0), "labels")
    assert p["pooled", "auc"] == p["pooled", "balanced_accuracy"] == LEAST
    assert p["clinical", "auc"] > 0.05


def test_images_that_add_nothing_to_a_strong_clinical_link_are_not_significant():
    cohort, folds = labelled(clinical=1.5)
    assert p_values(cohort, folds, "labels")[STACK, "auc"] == LEAST
    assert p_values(cohort, folds, "images")[STACK, "auc"] > 0.05


@pytest.mark.parametrize("shuffle", [name for name in SHUFFLES if name != "labels"])
def test_images_that_add_something_are_significant(shuffle):
    assert p_values(*labelled(clinical=0.7, images=1.5), shuffle)[STACK, "auc"] <= 0.05


def test_bag_size_alone_is_not_significant_among_bags_of_the_same_size():
    patients, bank = patients_and_bank(n_test=0)
    label, rng = patients["label"].to_numpy(), np.random.default_rng(0)
    # Sizes predict the label of 8 of 10 patients; features predict the size and nothing else.
    sizes = np.where(label == 1, 8, 4)
    for value, number in ((0, 4), (1, 8)):
        exceptions = rng.choice(np.flatnonzero(label == value), number, replace=False)
        sizes[exceptions] = 12 - sizes[exceptions]
    bank = rng.normal(size=(sizes.sum(), 6)) + np.repeat(sizes, sizes)[:, None]
    patients = patients.assign(n_cells=sizes)
    cohort = RefitCohort.from_tables(patients, CHOSEN, {"drawn": bank}, stack_C=0.1)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    assert p_values(cohort, folds, "images")[STACK, "auc"] == LEAST
    assert p_values(cohort, folds, "images_of_size")[STACK, "auc"] > 0.05


def test_without_a_link_p_is_uniform():
    """The observed labels are one more shuffle, so p is uniform: here its mean over cohorts."""
    p = []
    for seed in range(14):
        patients, _ = patients_and_bank(seed=seed)
        clinical = {"clinical": CHOSEN["clinical"]}
        cohort = RefitCohort.from_tables(patients, clinical, {}, stack_C=0.1)
        folds = make_folds(patients, seed=3, **FOLD_SETTINGS)
        p.append(p_values(cohort, folds, "labels", n=9)["clinical", "auc"])
    assert abs(np.mean(p) - 0.55) < 3 * np.sqrt(1 / 12 / 14)


def test_shuffled_labels_on_old_folds_look_worse_than_chance():
    """Why the folds are drawn again: they are stratified by the labels they were drawn with."""
    cohort, folds = labelled()
    n, n_shuffles = len(cohort.labels), 200
    plain = cohort.batch(folds)
    draws = [np.random.default_rng(number).permutation(cohort.labels) for number in range(200)]
    batch = Batch(
        np.stack(draws),
        np.tile(np.arange(n), (n_shuffles, 1)),
        np.tile(plain.inner, (n_shuffles, 1, 1)),
        plain.repeat,
    )
    probabilities = refit({"clinical": cohort.models["clinical"]}, batch)["clinical"]
    old = batch_scores(batch, probabilities, RULE)["auc"].mean()
    drawn = null(cohort, folds, "labels", range(1, 61))
    new = drawn.loc[drawn["model"] == "clinical", "auc"].mean()
    assert old < 0.47
    assert abs(new - 0.5) < 0.04


def test_a_division_into_jobs_changes_no_shuffle():
    cohort, folds = labelled(clinical=0.5)
    for shuffle in SHUFFLES:
        whole = null(cohort, folds, shuffle, range(1, 8))
        halves = [null(cohort, folds, shuffle, range(first, 8, 2)) for first in (2, 1)]
        by = ["model", "number"]
        pd.testing.assert_frame_equal(
            whole.sort_values(by, ignore_index=True),
            pd.concat(halves).sort_values(by, ignore_index=True),
            atol=1e-12,
        )


def test_shuffles_of_images_leave_age_and_count_with_the_label():
    cohort, folds = labelled(clinical=1.5)
    of_images = null(cohort, folds, "images", range(1, 30))
    assert set(of_images["model"]) == {STACK}
    assert of_images["auc"].min() > 0.7  # what age and count give is still there


def test_only_similar_patients_exchange_bags():
    sizes = np.array([5.0, 5, 5, 5, 9, 9, 9, 9])
    for seed in range(20):
        order = shuffle_similar(sizes, 4, np.random.default_rng(seed))
        np.testing.assert_array_equal(np.sort(order), np.arange(8))
        np.testing.assert_array_equal(sizes[order], sizes)


def test_ties_of_similarity_are_grouped_at_random():
    similarity = np.array([1.0] * 6 + [2.0] * 2)
    partners = {
        int(shuffle_similar(similarity, 4, np.random.default_rng(seed)).tolist().index(0))
        for seed in range(200)
    }
    assert partners == set(range(8))  # of the first patient: all, the last two by way of a tie


def test_risk_needs_a_clinical_model():
    patients, bank = patients_and_bank()
    chosen = {"pooled": CHOSEN["pooled"]}
    cohort = RefitCohort.from_tables(patients, chosen, {"drawn": bank}, stack_C=0.1)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    with pytest.raises(RefitError, match=r"permutation\.models"):
        null(cohort, folds, "images_of_risk", [1])
