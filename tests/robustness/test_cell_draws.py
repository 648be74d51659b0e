"""Scores by number and choice of cells, and what draws say about other cells."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from lymphokit.bags.packed import Bags, bags_of, clinical_of, labels_of
from lymphokit.cohort.folds import make_folds
from lymphokit.evaluation import threshold
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table
from lymphokit.evaluation.uncertainty import score_table
from lymphokit.models.registry import create
from lymphokit.robustness.cell_draws import (
    MEAN_OF_DRAWS,
    DrawCohort,
    draw_cells,
    draw_decisions,
    draw_predictions,
    draw_scores,
    draw_summary,
    other_cells_deviation,
)
from tests.studies.cohorts import FOLD_SETTINGS, patients_and_bank

SEED = 5
CLINICAL = {"kind": "clinical_logistic", "enabled": True, "C": 1.0}
POOLED = {"kind": "pooled_logistic", "enabled": True, "features": "drawn", "pca": 4, "C": 1.0}
KERNEL = {"kind": "bag_kernel", "enabled": True, "features": "drawn", "pca": 4, "width": 2.0}
KERNEL |= {"C": 10.0}


def cohort_of(n=45, **drawn):
    patients, bank = patients_and_bank(n=n, **drawn)
    folds = make_folds(patients, seed=1, **FOLD_SETTINGS)
    return DrawCohort.from_tables(patients, {"drawn": bank}, folds), patients, bank, folds


def predictions_of(cohort, numbers, draws=3, seed=SEED, clinical=CLINICAL, block=POOLED):
    models = {"images": block}
    return draw_predictions(cohort, models, clinical, numbers=numbers, draws=draws, seed=seed)


@pytest.fixture(scope="module")
def drawn():
    cohort, *_ = cohort_of(clinical=1.0, images=0.7)
    predictions = predictions_of(cohort, [2, 4, "all"])
    return cohort, predictions, draw_decisions(predictions, "midpoint")


def test_a_draw_holds_so_many_different_cells_of_each_bag_or_all_of_them_in_order() -> None:
    sizes = np.array([3, 7, 1, 12])
    cells = np.arange(sizes.sum(), dtype=np.float32)[:, None]
    bags = Bags(cells, np.concatenate([[0], np.cumsum(sizes)]), tuple("abcd"))
    few = draw_cells(bags, 5, seed=1)
    assert few.sizes.tolist() == [3, 5, 1, 5]
    assert few.ids == bags.ids
    assert (np.diff(few.instances[:, 0]) > 0).all()
    owner = bags.bag_of[few.instances[:, 0].astype(int)]
    np.testing.assert_array_equal(owner, few.bag_of)
    more = draw_cells(bags, 8, seed=1)
    assert set(few.instances[:, 0]) < set(more.instances[:, 0])
    assert draw_cells(bags, "all", seed=1) is bags


def test_every_cell_is_drawn_equally_often() -> None:
    sizes = np.array([4, 10])
    bags = Bags(np.arange(14, dtype=np.float32)[:, None], np.array([0, 4, 14]), ("a", "b"))
    drawn = [draw_cells(bags, 4, seed).instances[:, 0].astype(int) for seed in range(2000)]
    shares = np.bincount(np.concatenate(drawn), minlength=14) / len(drawn)
    np.testing.assert_allclose(shares, np.minimum(1, 4 / sizes)[bags.bag_of], atol=0.05)


@pytest.mark.parametrize("block", [POOLED, KERNEL], ids=lambda block: block["kind"])
def test_a_draw_of_all_cells_is_the_plain_nested_score(block) -> None:
    cohort, patients, bank, folds = cohort_of(clinical=1.0, images=0.7)
    decisions = draw_decisions(predictions_of(cohort, ["all"], block=block), "midpoint")
    labels, tables = labels_of(patients), []
    for number, fold in folds.groupby("fold"):
        predictions = cross_predict(
            lambda seed: create(block, seed=seed),
            bags_of(patients, bank),
            labels,
            clinical_of(patients),
            fold,
            np.flatnonzero(labels == -1),
            SEED,
        )
        tables.append(
            decision_table(predictions, model="images", fold=number, repeat=1, rule="midpoint")
        )
    uncertainty = {"resamples": 100, "level": 0.95, "seed": 3}
    expected = score_table(pd.concat(tables), ["images"], **uncertainty).iloc[0]
    scores = draw_scores(decisions).set_index("with_clinical").loc[False]
    summary = draw_summary(decisions, cohort.sizes, **uncertainty)
    alone = summary[~summary["with_clinical"]].set_index("metric")
    for metric, low in (("balanced_accuracy", "low"), ("auc", "auc_low")):
        assert scores[metric] == pytest.approx(expected[metric], abs=1e-12)
        assert alone.loc[metric, "mean"] == pytest.approx(expected[metric], abs=1e-12)
        assert alone.loc[metric, "low"] == pytest.approx(expected[low], abs=1e-12)


def test_a_number_that_leaves_no_cell_out_has_one_draw_and_scores_as_all_cells() -> None:
    cohort, *_ = cohort_of()
    decisions = draw_decisions(predictions_of(cohort, [2, 50, "all"], draws=2), "midpoint")
    scores = draw_scores(decisions).set_index(["cells", "with_clinical"])
    assert sorted(scores.loc["2", "draw"]) == [1, 1, 2, 2]
    assert (
        scores.loc[("50", True)].to_numpy().tolist()
        == scores.loc[("all", True)].to_numpy().tolist()
    )
    assert decisions.loc[decisions["draw"] == MEAN_OF_DRAWS, "cells"].unique().tolist() == ["2"]


def test_the_product_adds_log_odds_and_counts_the_prevalence_once(drawn) -> None:
    cohort, predictions, _ = drawn
    clinical = cohort.predict(CLINICAL, cohort.banks["drawn"], SEED)
    one = predictions[(predictions["cells"] == "2") & (predictions["draw"] == 2)]
    rows = ["fold", "part", "inner", "patient"]
    alone = one[~one["with_clinical"]].set_index(rows)
    product = one[one["with_clinical"]].set_index(rows)["probability"]
    clinical = clinical.set_index(rows)["probability"]
    for key in [alone.index[0], alone.index[-1], alone.index[50]]:
        fitted = cohort.folds[(cohort.folds["fold"] == key[0]) & (cohort.folds["part"] == "train")]
        label_of = dict(zip(cohort.banks["drawn"].ids, cohort.labels, strict=True))
        share = fitted["patient"].map(label_of).mean()
        expected = logit(alone.loc[key, "probability"]) - logit(share) + logit(clinical[key])
        assert product[key] == pytest.approx(expit(expected), abs=1e-9)


def test_averaging_over_draws_is_the_mean_of_the_log_odds_decided_like_a_draw(drawn) -> None:
    _, predictions, decisions = drawn
    of_number = predictions[(predictions["cells"] == "2") & predictions["with_clinical"]]
    draws = of_number[of_number["draw"] != MEAN_OF_DRAWS]
    wide = draws.assign(odds=logit(draws["probability"])).pivot_table(
        index=["fold", "part", "patient", "label"], columns="draw", values="odds"
    )
    assert wide.shape[1] == 3
    means = wide.mean(axis=1).rename("odds").reset_index()
    truth, called, odds = [], [], []
    for _, fold in means.groupby("fold"):
        inner, validation = fold[fold["part"] == "inner"], fold[fold["part"] == "validation"]
        cut = threshold.midpoint(inner["label"].to_numpy(), expit(inner["odds"].to_numpy()))
        truth.append(validation["label"])
        called.append(expit(validation["odds"]) >= cut)
        odds.append(validation["odds"])
    truth, called, odds = map(np.concatenate, (truth, called, odds))
    summary = draw_summary(decisions, drawn[0].sizes, resamples=100, level=0.9, seed=0)
    row = summary[(summary["cells"] == "2") & summary["with_clinical"]].set_index("metric")
    found = row["averaged"]
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
    assert found["auc"] == pytest.approx(roc_auc_score(truth, odds))


def test_the_summary_is_that_of_the_draws(drawn) -> None:
    cohort, _, decisions = drawn
    scores = draw_scores(decisions)
    summary = draw_summary(decisions, cohort.sizes, resamples=100, level=0.9, seed=0)
    assert scores["draw"].min() == 1  # the mean over draws is no draw
    for row in summary.to_dict("records"):
        is_row = (scores["cells"] == row["cells"]) & (
            scores["with_clinical"] == row["with_clinical"]
        )
        of_row = scores.loc[is_row, row["metric"]]
        assert row["draws"] == len(of_row) == (1 if row["cells"] == "all" else 3)
        assert row["mean"] == pytest.approx(of_row.mean())
        assert (row["lowest"], row["highest"]) == (of_row.min(), of_row.max())
        assert row["sd"] == pytest.approx(of_row.std() if len(of_row) > 1 else 0.0)


def test_more_cells_make_draws_differ_less() -> None:
    """Bags of 40 cells that differ in their mean alone, of which 3 or 30 cells are drawn."""
    rng = np.random.default_rng(2)
    cohort, *_ = cohort_of()
    means = cohort.labels.repeat(40)[:, None] + rng.normal(size=(45, 1)).repeat(40, axis=0)
    cells = means + 4 * rng.normal(size=(45 * 40, 4))
    bags = Bags(cells, np.arange(46) * 40, cohort.banks["drawn"].ids)
    large = DrawCohort(cohort.labels, cohort.clinical, {"drawn": bags}, cohort.folds)
    scores = draw_scores(
        draw_decisions(predictions_of(large, [3, 30], draws=8, clinical=None), "half")
    )
    few, many = (scores.loc[scores["cells"] == cells, "auc"] for cells in ("3", "30"))
    assert many.std() < few.std()
    assert many.mean() > few.mean()
    assert not scores["with_clinical"].any()


def test_the_same_seed_gives_the_same_table_and_another_seed_other_cells() -> None:
    cohort, *_ = cohort_of()
    first, again, other = (
        draw_scores(draw_decisions(predictions_of(cohort, [2], seed=seed), "midpoint"))
        for seed in (SEED, SEED, SEED + 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_progress_counts_draws_and_not_the_folds_of_each(capsys) -> None:
    cohort, *_ = cohort_of()
    predictions_of(cohort, [2], draws=5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert all("of 5" in line for line in lines)


def test_the_interval_over_draws_reaches_as_far_as_the_draws_do() -> None:
    """Two draws, one right about everyone and one wrong: no patients are needed to vary."""
    rows = [
        {"patient": f"P{i}", "label": i % 2, "draw": draw, "probability": abs(i % 2 - wrong)}
        for draw, wrong in ((1, 0), (2, 1))
        for i in range(20)
    ]
    constant = {"model": "m", "cells": "2", "with_clinical": False, "fold": 1, "repeat": 1}
    constant |= {"part": "validation", "threshold": 0.5, "n_fitted": 20}
    decisions = pd.DataFrame(rows).assign(**constant)
    decisions["decision"] = decisions["probability"]
    summary = draw_summary(decisions, np.full(20, 4), resamples=100, level=0.9, seed=0)
    for row in summary.to_dict("records"):
        assert (row["low"], row["high"]) == (0.5, 0.5)  # of each draw 1 or 0, on average
        assert (row["drawn_low"], row["drawn_high"]) == (0.0, 1.0)


def test_what_other_cells_would_change_is_read_off_draws_of_the_cells_there_are() -> None:
    """The mean of a bag over other 40 cells has variance s^2 / 40, whichever number is drawn."""
    rng = np.random.default_rng(0)
    cells = rng.normal(size=40)
    for number in (8, 24):
        means = [rng.permutation(cells)[:number].mean() for _ in range(20_000)]
        found = other_cells_deviation(float(np.std(means)), np.array([40]), str(number))
        assert found == pytest.approx(cells.std(ddof=1) / np.sqrt(40), rel=0.03)
    assert np.isnan(other_cells_deviation(0.0, np.array([40, 3]), "all"))
    assert np.isnan(other_cells_deviation(0.0, np.array([40, 3]), "40"))


def test_with_all_cells_the_interval_widens_by_what_other_cells_would_change(drawn) -> None:
    cohort, _, decisions = drawn
    summary = draw_summary(decisions, cohort.sizes, resamples=400, level=0.6, seed=0)
    auc = summary[~summary["with_clinical"] & (summary["metric"] == "auc")].set_index("cells")
    whole, few = auc.loc["all"], auc.loc[["2", "4"]]
    assert whole["other_cells_sd"] == pytest.approx(np.sqrt((few["other_cells_sd"] ** 2).mean()))
    ratio = np.hypot(whole["patients_sd"], whole["other_cells_sd"]) / whole["patients_sd"]
    assert ratio > 1.01
    for end in ("low", "high"):
        reach, wider = whole[end] - whole["mean"], whole[f"drawn_{end}"] - whole["mean"]
        assert wider == pytest.approx(ratio * reach, abs=1e-9)
