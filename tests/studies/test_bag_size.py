"""Which models count cells, and by how much counting helps."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lymphokit.studies.bag_size import (
    bag_size_scores,
    bag_size_sentences,
    twins_without_bag_size,
    users_of_bag_size,
)

COUNTS = {"kind": "cell_counts_xgboost", "enabled": True, "matrix": "counts", "trees": 100}
MODELS = {
    "clinical": {"kind": "clinical_logistic", "enabled": True, "C": 1.0},
    "counts": COUNTS,
    "shares": COUNTS | {"matrix": "shares", "enabled": "scored"},
    "shares_of_few": COUNTS | {"matrix": "shares", "trees": 5},
    "network": {"kind": "d_mil", "enabled": True, "aggregation": "attention"},
}


def decisions(**probabilities: np.ndarray) -> pd.DataFrame:
    labels = np.arange(40) % 2
    tables = [
        pd.DataFrame(
            {
                "repeat": 1,
                "patient": [f"P{i}" for i in range(40)],
                "part": "validation",
                "label": labels,
                "model": model,
                "n_fitted": np.inf,
                "probability": values,
                "decision": (values >= 0.5).astype(int),
            }
        )
        for model, values in probabilities.items()
    ]
    return pd.concat(tables)


def test_only_models_on_numbers_of_cells_use_bag_size() -> None:
    assert users_of_bag_size(MODELS) == ["counts"]


def test_a_twin_differs_in_bag_size_alone() -> None:
    assert twins_without_bag_size(MODELS) == [("counts", "shares")]


def test_the_difference_is_that_of_the_two_scores() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    clear, vague = (np.clip(labels * s + rng.random(40) * (1 - s), 0, 1) for s in (0.9, 0.2))
    table = decisions(counts=clear, shares=vague)
    rows = bag_size_scores(table, MODELS, resamples=300, level=0.95, seed=0)
    assert rows["metric"].tolist() == ["auc", "balanced_accuracy"]
    auc = rows.iloc[0]
    expected = roc_auc_score(labels, clear) - roc_auc_score(labels, vague)
    assert auc["difference"] == expected
    assert 0 < auc["low"] < expected < auc["high"]


def test_a_model_without_a_twin_is_named_without_a_figure() -> None:
    rows = bag_size_scores(
        decisions(counts=np.full(40, 0.5)), {"counts": COUNTS}, resamples=100, level=0.95, seed=0
    )
    assert rows["model"].tolist() == ["counts"]
    assert rows.drop(columns="model").isna().all(axis=None)


def test_without_a_user_the_table_is_empty_and_has_its_columns() -> None:
    rows = bag_size_scores(
        decisions(clinical=np.full(40, 0.5)),
        {"clinical": MODELS["clinical"]},
        resamples=100,
        level=0.95,
        seed=0,
    )
    assert rows.empty
    assert "difference" in rows


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.05, "depends on"), (-0.05, -0.01, "worse"), (-0.01, 0.05, "no difference")],
)
def test_a_difference_is_claimed_only_where_its_interval_excludes_0(
    low: float, high: float, words: str
) -> None:
    row = {"model": "a", "twin": "b", "metric": "auc", "difference": (low + high) / 2}
    sentences = bag_size_sentences(pd.DataFrame([row | {"low": low, "high": high}]), n_models=4)
    assert "used by a, and by none of the 3 other" in sentences[0]
    assert words in sentences[1]


def test_models_without_bag_size_and_models_without_a_twin_are_named() -> None:
    nothing = pd.DataFrame(columns=["model", "twin", "metric", "difference", "low", "high"])
    (sentence,) = bag_size_sentences(nothing, n_models=4)
    assert "None of 4 models" in sentence
    alone = pd.concat([nothing, pd.DataFrame([{"model": "a"}])])
    assert "no twin" in bag_size_sentences(alone, n_models=4)[1]
