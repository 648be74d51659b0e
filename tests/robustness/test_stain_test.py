"""A score that rests on stain falls to chance without it; another no further than the control."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.folds import make_folds
from lymphokit.errors import LymphokitError
from lymphokit.evaluation.out_of_fold import cross_predict
from lymphokit.evaluation.uncertainty import patient_draws
from lymphokit.imaging.smear_colours import COLUMNS
from lymphokit.models.registry import create
from lymphokit.robustness import stain_cohort
from lymphokit.robustness.stain_cohort import NONE, StainCohort, labelled_bags
from lymphokit.robustness.stain_columns import ALL, BOTH, GLASS, RED_CELLS, column_sets
from lymphokit.robustness.stain_test import ALONE, KNOWN, NO_IMAGES, PRODUCT, Scorer
from lymphokit.robustness.stain_verdict import stain_sentences, survives, verdict, warning
from tests.robustness.stained import CLINICAL, KERNEL, TYPES, drawn, given, planted, table_of
from tests.studies.cohorts import FOLD_SETTINGS, patients_and_bank
from tests.studies.planted import honest_table


def numbers(table: pd.DataFrame, metric: str = "auc", score: str = ALONE) -> pd.DataFrame:
    """Estimate, low and high by columns and quantity, of one model."""
    rows = table[(table["metric"] == metric) & (table["score"] == score)]
    return rows[rows["model"] != NO_IMAGES].set_index(["columns", "quantity"])


def table_with(**planted_here: Any) -> pd.DataFrame:
    cohort, descriptors = planted(**planted_here)
    return table_of(cohort, {"given": cohort.versions(given(cohort, descriptors), 4)})


@pytest.fixture
def few_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control of four permutations instead of twenty, for tests of something else."""
    monkeypatch.setattr(stain_cohort, "PERMUTATIONS", 4)


@pytest.fixture(scope="module")
def stained() -> pd.DataFrame:
    return table_with(stain=2.0, cells=0.0)


@pytest.fixture(scope="module")
def unstained() -> pd.DataFrame:
    return table_with(stain=0.0, cells=1.0)


# What is removed, and what that costs


def test_a_signal_in_the_red_cells_goes_with_them_and_stays_in_the_control(
    stained: pd.DataFrame,
) -> None:
    found = numbers(stained)
    assert found.loc[(NONE, "score"), "estimate"] > 0.9
    for columns in (RED_CELLS, BOTH, ALL):
        removed = found.loc[(columns, "removed")]
        assert removed["low"] < 0.5 < removed["high"]
        assert found.loc[(columns, "control"), "estimate"] > 0.85
        assert found.loc[(columns, "removed - control"), "high"] < 0
    assert verdict(stained) == "rests on colour"
    assert not survives(stained)
    assert warning(stained)


def test_a_signal_in_the_cells_loses_no_more_than_in_the_control(unstained: pd.DataFrame) -> None:
    found = numbers(unstained)
    assert found.loc[(NONE, "score"), "low"] > 0.7
    for columns in (GLASS, RED_CELLS, BOTH, ALL):
        difference = found.loc[(columns, "removed - control")]
        assert difference["estimate"] > -0.02
        assert difference["low"] < 0 < difference["high"]
    assert verdict(unstained) == "survives"
    assert survives(unstained)
    assert not warning(unstained)


@pytest.mark.usefixtures("few_permutations")
def test_without_any_signal_there_is_nothing_to_remove() -> None:
    table = table_with(stain=0.0, cells=0.0)
    assert verdict(table) == "no better than chance"
    assert not survives(table)
    assert warning(table)


def test_the_gain_over_age_and_count_goes_with_the_stain(
    stained: pd.DataFrame, unstained: pd.DataFrame
) -> None:
    for table, is_left in ((stained, False), (unstained, True)):
        found = numbers(table, score=PRODUCT)
        assert found.loc[(NONE, "gain"), "low"] > 0
        assert (found.loc[(BOTH, "gain, removed"), "estimate"] > 0.05) == is_left
        assert found.loc[(BOTH, "gain, control"), "estimate"] > 0.05


def test_stain_adds_nothing_where_it_is_known_already(
    stained: pd.DataFrame, unstained: pd.DataFrame
) -> None:
    gains = [numbers(each, score=KNOWN).loc[(NONE, "gain")] for each in (stained, unstained)]
    assert gains[0]["estimate"] < 0.02
    assert gains[1]["low"] > 0


def test_differences_are_those_of_the_scores_and_lie_in_their_intervals(
    stained: pd.DataFrame,
) -> None:
    for metric in ("auc", "balanced_accuracy"):
        found = numbers(stained, metric)
        removed, control = (found.loc[(BOTH, each), "estimate"] for each in ("removed", "control"))
        score = found.loc[(NONE, "score"), "estimate"]
        assert found.loc[(BOTH, "removed - score"), "estimate"] == pytest.approx(removed - score)
        assert found.loc[(BOTH, "removed - control"), "estimate"] == pytest.approx(
            removed - control
        )
    assert (stained["low"] <= stained["estimate"]).all()
    assert (stained["estimate"] <= stained["high"]).all()


@pytest.mark.usefixtures("few_permutations")
def test_several_repeats_are_averaged_and_count_no_patient_twice() -> None:
    cohort, descriptors = planted(stain=0.0, cells=1.0, repeats=2, n=60)
    versions = cohort.versions(given(cohort, descriptors), 4)
    table = table_of(cohort, {"given": versions})
    assert set(table["n_patients"]) == {60}
    each = [roc_auc_score(cohort.target.labels, odds) for odds in versions[NONE, "score"][0]]
    expected = np.mean(each)
    assert numbers(table).loc[(NONE, "score"), "estimate"] == pytest.approx(expected)


@pytest.mark.usefixtures("few_permutations")
def test_several_models_are_averaged_as_in_the_product() -> None:
    cohort, descriptors = planted(stain=0.0, cells=1.0)
    versions = {
        name: cohort.versions(given(cohort, columns), 4)
        for name, columns in (("first", descriptors[:, :4]), ("second", descriptors[:, 4:]))
    }
    table = table_of(cohort, versions)
    together = np.mean([each[NONE, "score"][0, 0] for each in versions.values()], axis=0)
    row = table[(table["model"] == "images") & (table["score"] == ALONE)].iloc[0]
    assert (row["quantity"], row["metric"]) == ("score", "balanced_accuracy")
    rows = table[(table["model"] == "images") & (table["metric"] == "auc")]
    assert rows.iloc[0]["estimate"] == pytest.approx(roc_auc_score(cohort.target.labels, together))


@pytest.mark.usefixtures("few_permutations")
def test_a_model_that_is_only_scored_is_in_the_table_and_the_sentences() -> None:
    cohort, descriptors = planted(stain=0.0, cells=1.0)
    versions = cohort.versions(given(cohort, descriptors), 4)
    grey = {(NONE, "score"): versions[NONE, "score"]}
    table = table_of(cohort, {"given": versions, "grey": grey}, product=["given"])
    assert set(table.loc[table["model"] == "grey", "quantity"]) == {"score", "gain", "correlation"}
    assert any("grey" in sentence for sentence in stain_sentences(table))


# Nothing of a validation patient enters what is removed from others


def removed_odds(cohort: StainCohort, descriptors: Any) -> Any:
    return cohort.versions(given(cohort, descriptors), 4)[BOTH, "removed"][0, 0]


@pytest.mark.usefixtures("few_permutations")
def test_removal_is_fitted_on_training_patients_alone() -> None:
    cohort, descriptors = planted(stain=1.0, cells=1.0)
    (_, _, _, predicted), *_ = cohort.folds()
    one, others = predicted[0], predicted[1:]
    moved = cohort.sets[BOTH].copy()
    moved[one] += 50
    changed = StainCohort(cohort.target, cohort.clinical, {**cohort.sets, BOTH: moved})
    before, after = removed_odds(cohort, descriptors), removed_odds(changed, descriptors)
    assert np.array_equal(before[others], after[others])
    assert before[one] != after[one]
    elsewhere = np.setdiff1d(np.arange(len(before)), predicted)  # there the patient is in training
    assert not np.array_equal(before[elsewhere], after[elsewhere])


@pytest.mark.usefixtures("few_permutations")
def test_neither_are_labels_of_validation_patients_seen() -> None:
    cohort, descriptors = planted(stain=1.0, cells=1.0)
    (_, _, _, predicted), *_ = cohort.folds()
    labels = cohort.target.labels.copy()
    labels[predicted] = 1 - labels[predicted]
    target = type(cohort.target)(cohort.target.patients, labels, cohort.target.held_out)
    changed = StainCohort(target, cohort.clinical, cohort.sets)
    before, after = removed_odds(cohort, descriptors), removed_odds(changed, descriptors)
    assert np.array_equal(before[predicted], after[predicted])


# The same models as the run, and their oracles


def run_tables() -> tuple[pd.DataFrame, pd.DataFrame, StainCohort, Any]:
    """patients.csv, folds.csv, the cohort and a bank of features, as in a run."""
    patients, bank = patients_and_bank(images=1.0)
    labelled = patients["part"] == "train"
    names = patients.loc[labelled, "patient"].tolist()
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    cohort = StainCohort.from_tables(patients, folds, colours_of(names), artefacts_of(names))
    return patients, folds, cohort, bank


def colours_of(names: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(len(names), len(COLUMNS))), columns=list(COLUMNS))
    return table.assign(patient=names)


def artefacts_of(names: list[str]) -> pd.DataFrame:
    table = honest_table(train=len(names), test=0)
    return table.assign(patient=names, n_images=20)


@pytest.mark.usefixtures("few_permutations")
@pytest.mark.parametrize("block", [KERNEL, TYPES], ids=lambda block: str(block["kind"]))
def test_the_score_before_any_removal_is_the_runs(block: dict[str, Any]) -> None:
    patients, folds, cohort, bank = run_tables()
    bags, labels, clinical = bags_of(patients, bank), labels_of(patients), clinical_of(patients)
    test = np.flatnonzero(patients["part"] == "test")
    predictions = [
        cross_predict(
            lambda seed: create(block, seed=seed), bags, labels, clinical, fold, test, seed=9
        )
        for _, fold in folds.groupby("fold")
    ]
    described = cohort.described(block, labelled_bags(patients, bank), 9)
    found = cohort.versions(described, 9)[NONE, "score"][0]
    expected = cohort.predicted_log_odds(predictions)
    inside = np.abs(found) < 3  # log odds of predictions are clipped
    assert found[inside] == pytest.approx(expected[inside], abs=1e-4)


def test_age_and_count_score_as_a_logistic_regression_on_them() -> None:
    cohort, _ = planted(stain=0.0, cells=0.0)
    found = cohort.clinical_log_odds(CLINICAL)
    for _, repeat, fitted, predicted in cohort.folds():
        rows, labels = cohort.clinical.matrix(), cohort.target.labels[fitted]
        scaled = (rows - rows[fitted].mean(axis=0)) / rows[fitted].std(axis=0)
        model = LogisticRegression(tol=1e-8).fit(scaled[fitted], labels)
        odds = model.decision_function(scaled[predicted])
        prior = np.log(labels.mean() / (1 - labels.mean()))
        assert found[repeat, predicted] == pytest.approx(odds - prior, abs=1e-4)


def test_rank_correlations_are_scipys_in_every_resample() -> None:
    cohort, descriptors = planted(stain=1.0, cells=0.0, n=40)
    draws = patient_draws(cohort.target.labels, resamples=20, seed=0)
    odds, column = descriptors[None, :, 0], np.round(cohort.sets[RED_CELLS][:, 0], 1)  # ties
    found = Scorer(cohort, draws, 1.0).correlation(odds, column)
    assert found.estimate == pytest.approx(spearmanr(odds[0], column).statistic)
    drawn_places = [np.repeat(np.arange(40), each.astype(int)) for each in draws]
    each = [spearmanr(odds[0][places], column[places]).statistic for places in drawn_places]
    factor = np.sqrt(1 + 40 / cohort.target.n_fitted)
    assert found.low == pytest.approx(found.estimate + factor * (min(each) - found.estimate))


# The columns


def test_sets_hold_three_colours_each_and_no_constant_column() -> None:
    names = [f"P{place}" for place in range(30)]
    colours, artefacts = colours_of(names), artefacts_of(names)
    sets = column_sets(names, colours, artefacts)
    assert {name: columns.shape[1] for name, columns in sets.items()} == {
        GLASS: 3,
        RED_CELLS: 3,
        BOTH: 6,
        ALL: 6 + 2 + 9,  # sizes of files and glass vary; the number and format of images do not
    }
    expected = colours[["red_cells_red", "red_cells_green", "red_cells_blue"]].to_numpy()
    assert np.array_equal(sets[RED_CELLS], expected)


def test_columns_follow_the_patients_and_a_missing_one_is_named() -> None:
    names = [f"P{place}" for place in range(30)]
    colours, artefacts = colours_of(names), artefacts_of(names)
    turned = column_sets(names[::-1], colours, artefacts.sample(frac=1, random_state=0))
    for name, columns in column_sets(names, colours, artefacts).items():
        assert np.array_equal(columns[::-1], turned[name])
    with pytest.raises(LymphokitError, match="P7"):
        column_sets(names, colours[colours["patient"] != "P7"], artefacts)


# Simulated smears


def simulated(**signals: Any) -> pd.DataFrame:
    cohort, bags = drawn(**signals)
    versions = {
        str(block["kind"]): cohort.versions(cohort.described(block, bags, 1), 1)
        for block in (KERNEL, TYPES)
    }
    return table_of(cohort, versions)


@pytest.mark.usefixtures("few_permutations")
def test_a_cohort_whose_stain_is_tied_to_the_label_is_found_out() -> None:
    table = simulated(signal=0.85, abnormal_share=(0.0, 0.0), stain_signal=1.0)
    assert {verdict(table, model) for model in ("bag_kernel", "cell_types", "images")} == {
        "rests on colour"
    }
    assert numbers(table[table["model"] == "images"]).loc[(NONE, "score"), "estimate"] > 0.95
    clinical = table[(table["model"] == NO_IMAGES) & (table["score"] == PRODUCT)]
    assert (clinical["low"] > 0.5).all()  # ages and counts keep their signal


@pytest.mark.usefixtures("few_permutations")
def test_a_cohort_whose_cells_differ_is_not_accused() -> None:
    table = simulated(signal=0.85, stain_signal=0.0)
    assert survives(table)
    assert verdict(table, "bag_kernel") == verdict(table, "cell_types") == "survives"
