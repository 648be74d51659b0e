"""The benchmark on cohorts without signal: a run on a tiny cohort, and what it prints."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from lymphokit.errors import ConfigError
from tests.benchmark_module import load_benchmark

MODELS = ["clinical", "pseudo_label_xgb", "pooled"]
BLENDS = ["vote", "mean", "stack", "chosen_blend", "chosen_model"]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("no_signal")


@pytest.fixture(scope="module")
def tiny(benchmark: ModuleType) -> dict[str, Any]:
    """Three cheap models on 24 patients of two or three cells with a strong signal."""
    models = benchmark.settings_of({})["models"]
    small = {
        "simulate": {
            "signal": 1.0,
            "training_patients": 24,
            "tumoral_share": 0.5,
            "cells": [2, 3],
            "abnormal_share": [1.0, 1.0],
            "labelled_cells": 24,
        },
        "folds": {"k": 2, "inner": 2},
        "pseudo_label": {
            "labelled_train": 16,
            "labelled_validation": 8,
            "rounds": [{"count": 2, "add": 2}],
        },
        "models": {name: {"enabled": name in MODELS} for name in models},
        "submission": {"blend": "stack"},  # the product needs other models
        "uncertainty": {"resamples": 200},
    }
    settings: dict[str, Any] = benchmark.settings_of(small)
    return settings


@pytest.fixture(scope="module")
def rows(
    benchmark: ModuleType, tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame]:
    """The folder with the rows of cohort 1, and these."""
    work = tmp_path_factory.mktemp("rows")
    return work, benchmark.cached_scores(work, tiny, 1)


def test_every_model_and_every_blend_is_scored_nested_and_naive(
    rows: tuple[Path, pd.DataFrame],
) -> None:
    scores = rows[1]
    assert scores["model"].tolist() == [*MODELS, *BLENDS]
    assert set(scores["n_patients"]) == {24}
    assert scores["low"].le(scores["balanced_accuracy"]).all()
    assert scores["high"].ge(scores["balanced_accuracy"]).all()
    assert scores["naive"].between(0.5, 1).all()


def test_a_signal_is_found(rows: tuple[Path, pd.DataFrame]) -> None:
    scores = rows[1].set_index("model")
    assert (scores.loc[["pooled", "mean"], "auc_low"] > 0.5).all()


def test_an_interrupted_run_continues(
    benchmark: ModuleType,
    tiny: dict[str, Any],
    rows: tuple[Path, pd.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work, scores = rows

    def refuse(*_: Any) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(benchmark, "run", refuse)
    pd.testing.assert_frame_equal(benchmark.cached_scores(work, tiny, 1), scores)
    with pytest.raises(AssertionError, match="drawn again"):
        benchmark.cached_scores(work, tiny, 2)
    with pytest.raises(AssertionError, match="drawn again"):
        benchmark.cached_scores(work, {**tiny, "seed": 5}, 1)


def test_settings_that_config_does_not_know_are_refused(benchmark: ModuleType) -> None:
    with pytest.raises(ConfigError, match="signals"):
        benchmark.settings_of({"simulate": {"signals": 0}})


def test_the_full_run_has_no_model_on_a_bank_that_it_does_not_make(benchmark: ModuleType) -> None:
    models = benchmark.settings_of({})["models"].values()
    read = {model["features"] for model in models if model["enabled"] and "features" in model}
    assert read == {"morphology", "pseudo_label", "round_zero", "bag_start", "instance_network"}


def planted(above: int, below: int, cohorts: int = 10) -> pd.DataFrame:
    """One model whose intervals lie above chance in so many cohorts, and below in so many."""
    middle = [0.62] * above + [0.38] * below + [0.5] * (cohorts - above - below)
    scores = pd.DataFrame(
        {"cohort": range(1, cohorts + 1), "model": "m", "balanced_accuracy": middle}
    )
    edges = {"low": -0.1, "high": 0.1}
    for edge, step in edges.items():
        scores[edge] = scores[f"auc_{edge}"] = scores["balanced_accuracy"] + step
    return scores.assign(auc=scores["balanced_accuracy"], naive=0.6, n_patients=24)


def test_the_report_counts_both_sides(
    benchmark: ModuleType,
    tiny: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = planted(above=2, below=3)
    monkeypatch.setattr(benchmark, "cached_scores", lambda *given: scores.iloc[[given[-1] - 1]])
    out, figure = tmp_path / "rows.csv", tmp_path / "rows.png"
    arguments = ["--cohorts", "10", "--out", str(out), "--figure", str(figure)]
    monkeypatch.setattr(sys, "argv", ["", "--work", str(tmp_path), *arguments])
    benchmark.main()
    printed = capsys.readouterr().out
    assert "above    2 of 10 intervals, 20.0%" in printed
    assert "below    3 of 10 intervals, 30.0%" in printed
    assert "either   5 of 10 intervals, 50.0%" in printed
    assert "MORE THAN NOMINAL" in printed
    assert "0.67 times as wide, by resampled patients alone: 50.0%" in printed
    assert "m, 0.60" in printed
    assert len(pd.read_csv(out)) == 10
    assert figure.stat().st_size > 0
    assert "10 of 20 intervals miss 0.5 (50%" in benchmark.title_of(scores, 0.0, 0.95)


def test_intervals_that_cover_are_no_worse_than_nominal(benchmark: ModuleType) -> None:
    lines = [str(part) for part in benchmark.report(planted(0, 0), benchmark.settings_of({}))]
    assert not any("MORE" in line for line in lines)
    assert sum("no more than nominal" in line for line in lines) == 8
