"""The ablation chooses nothing on the scored patients; its table is checked by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.replicas import Run
from lymphokit.evaluation.threshold import midpoint
from lymphokit.studies import ablation
from lymphokit.studies.ablation import (
    METRICS,
    NAIVE,
    TABLE_1,
    VARIANTS,
    AblationCohort,
    ablate,
    learning_curves,
    summarise,
)
from tests.bags.toys import patients

PATIENTS = 40
COHORT = patients(PATIENTS, seed=0, features=6)
OTHER = patients(PATIENTS, seed=1, features=4)  # cells of the same patients in another bank


def labelled() -> AblationCohort:
    segmented = OTHER.bags.instances[: len(COHORT.bags.instances), :]
    rows = np.resize(segmented, (len(COHORT.bags.instances), 4))
    banks = {"raw": COHORT.bags, "cut": COHORT.bags.with_instances(rows)}
    return AblationCohort(banks, COHORT.labels, COHORT.clinical)


def folds(k: int) -> pd.DataFrame:
    """The last patients first, so that no row stands where its patient stands in the cohort."""
    tables = [
        pd.DataFrame(
            {
                "fold": fold,
                "patient": list(COHORT.bags.ids)[::-1],
                "part": np.where(np.arange(PATIENTS) % 4 == fold, "validation", "train"),
            }
        )
        for fold in range(1, k + 1)
    ]
    return pd.concat(tables)


SCHEMES = {"split": folds(1), "folds": folds(2)}


@pytest.fixture(scope="module")
def model(settings: Callable[..., Any]) -> DMilSettings:
    quick = {
        "pca": 3, "attention_width": 4, "hidden": [6], "clinical_hidden": [4],
        "learning_rate": 0.01, "batch_bags": 8, "max_epochs": 4, "members": 1,
    }  # fmt: skip
    changed: DMilSettings = settings("d_mil", **quick, features="raw")
    return changed


def ablated(model: DMilSettings, cohort: AblationCohort) -> pd.DataFrame:
    return ablate(
        model, cohort, SCHEMES, segmented_features="cut", executions=2, rule="midpoint", seed=1
    )


@pytest.fixture(scope="module")
def scores(model: DMilSettings) -> pd.DataFrame:
    return ablated(model, labelled())


def test_every_variant_runs_on_every_fold_of_every_scheme(scores: pd.DataFrame) -> None:
    assert list(scores["variant"].unique()) == list(VARIANTS)
    keys = ["variant", "scheme", "fold", "execution"]
    assert not scores.duplicated(keys).any()
    counts = scores.groupby(["variant", "scheme"]).size().unstack()
    assert (counts["split"] == 2).all()
    assert (counts["folds"] == 4).all()
    assert scores[[*METRICS, NAIVE]].notna().all(axis=None)


def test_every_variant_is_another_model(scores: pd.DataFrame) -> None:
    losses = scores.pivot_table("loss", "variant", ["scheme", "fold", "execution"])
    assert len(losses.drop_duplicates()) == len(VARIANTS)


def test_a_scored_patients_label_moves_scores_but_neither_threshold_nor_epoch(
    model: DMilSettings, scores: pd.DataFrame
) -> None:
    flipped = labelled()
    labels = flipped.labels.copy()
    scored = SCHEMES["split"].query("part == 'validation'")["patient"]
    (patient, *_) = np.flatnonzero(np.isin(COHORT.bags.ids, scored))
    labels[patient] = 1 - labels[patient]
    again = ablated(model, replace(flipped, labels=labels))
    before, after = (
        table.query("scheme == 'split'").set_index(["variant", "execution"])
        for table in (scores, again)
    )
    assert before["epoch"].equals(after["epoch"])
    np.testing.assert_allclose(before["threshold"], after["threshold"], atol=1e-6)
    assert not np.allclose(before["loss"], after["loss"])


def test_scores_are_those_of_scikit_learn_at_the_threshold_of_the_held_out(
    model: DMilSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[list[list[Run]]] = []
    train = ablation.train_replicas

    def spy(*arguments: Any, **named: Any) -> list[list[Run]]:
        kept.append(train(*arguments, **named))
        return kept[-1]

    monkeypatch.setattr(ablation, "train_replicas", spy)
    monkeypatch.setattr(ablation, "VARIANTS", {"D-MIL": {}})
    table = ablated(model, labelled())
    (runs,) = kept
    parts = [part for table in SCHEMES.values() for _, part in table.groupby("fold")]
    divisions = [
        np.isin(COHORT.bags.ids, part.loc[part["part"] == "train", "patient"]) for part in parts
    ]
    for row, (place, execution) in zip(
        table.to_dict("records"), [(p, e) for p in range(3) for e in range(2)], strict=True
    ):
        run = runs[place][execution]
        held_out, scored = run.held_out, run.scored
        inner, outer = np.isfinite(held_out), np.isfinite(scored)
        threshold = midpoint(COHORT.labels[inner], held_out[inner])
        assert row["threshold"] == pytest.approx(threshold)
        truth, called = COHORT.labels[outer], scored[outer] >= threshold
        assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
        assert row["f1"] == pytest.approx(f1_score(truth, called))
        share = COHORT.labels[divisions[place]].mean()  # of positives in the training part
        weight = np.where(truth == 1, share, 1 - share)  # as in training
        losses = -np.log(np.where(truth == 1, scored[outer], 1 - scored[outer]))
        assert row["loss"] == pytest.approx(np.mean(weight * losses))
        best = run.history.query("part == 'scored'")["balanced_accuracy"].max()
        assert row[NAIVE] == pytest.approx(best)


def test_an_executions_score_is_the_mean_of_its_folds_and_the_best_loss_the_lowest() -> None:
    rows = [
        {"variant": "D-MIL", "scheme": "folds", "execution": execution, "fold": fold}
        | dict.fromkeys([*METRICS, NAIVE], value)
        for execution, fold, value in ((1, 1, 0.2), (1, 2, 0.4), (2, 1, 0.6), (2, 2, 1.0))
    ]
    summary = summarise(pd.DataFrame(rows)).query("source == 'folds'").set_index("metric")
    np.testing.assert_allclose(summary["mean"], 0.55)
    np.testing.assert_allclose(summary["std"], np.std([0.3, 0.8], ddof=1))
    assert summary.loc["recall", "best"] == pytest.approx(0.8)
    assert summary.loc["loss", "best"] == pytest.approx(0.3)


def test_the_summary_holds_the_reports_figures_and_ours(scores: pd.DataFrame) -> None:
    summary = summarise(scores)
    assert list(summary["source"].unique()) == ["report", "split", "folds"]
    in_table = [name for name in VARIANTS if "optimizer" not in name]  # 5.2.2 a has no figures
    rows = [(variant, metric) for variant in in_table for metric in METRICS]
    assert [row[:2] for row in TABLE_1] == rows
    table = summary.set_index(["variant", "source", "metric"])
    best = table.loc[("Max as aggregation", "report", "balanced_accuracy")]
    assert best.tolist() == [0.657, 0.029, 0.719]
    assert table.loc[("D-MIL", "report", "loss"), "best"] == 0.497


def test_learning_curves_are_means_over_executions_without_early_stopping(
    model: DMilSettings,
) -> None:
    quick_to_stop = model.model_copy(
        update={"learning_rate": 1.0, "early_stopping": 1, "max_epochs": 6}
    )
    curves = learning_curves(quick_to_stop, labelled(), SCHEMES["split"], executions=3, seed=0)
    assert curves["mean"].notna().all()
    assert curves.groupby(["part", "metric"])["epoch"].agg(list).tolist() == [[*range(1, 7)]] * 4
    assert curves.groupby("part")["n_patients"].unique().map(list).to_dict() == {
        "training": [24],  # 30 but for the fifth that is held out
        "validation": [10],
    }
    validation = curves.query("part == 'validation' and metric == 'balanced_accuracy'")
    assert validation["mean"].between(0, 1).all()
    assert (validation["std"] > 0).any()
