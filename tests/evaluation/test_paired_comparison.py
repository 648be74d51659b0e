import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from lymphokit.evaluation.paired_comparison import comparison_sentence, comparison_table, mcnemar

SETTINGS = {"resamples": 400, "level": 0.95, "seed": 3}


def decided(model: str, labels, probabilities, repeat: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "fold": repeat,
            "repeat": repeat,
            "patient": [f"P{i}" for i in range(len(labels))],
            "part": "validation",
            "label": labels,
            "model": model,
            "n_fitted": np.inf,
            "probability": probabilities,
            "threshold": 0.5,
            "decision": (np.asarray(probabilities) >= 0.5).astype(int),
        }
    )


def simulated(seed: int, shift: float, n: int = 120):
    generator = np.random.default_rng(seed)
    labels = (np.arange(n) % 3 > 0).astype(int)
    return labels, 1 / (1 + np.exp(-(generator.normal(size=n) + shift * (labels - 0.5))))


def test_mcnemars_p_is_that_of_a_fair_coin():
    labels = np.ones(10, dtype=int)
    first = np.array([1] * 8 + [0] * 2)
    second = np.array([1] * 2 + [0] * 6 + [1] * 2)
    # 6 patients against 2: twice (1 + 8 + 28) of 256 ways of 8 tosses.
    assert mcnemar(labels, first, second) == (6, 2, pytest.approx(2 * 37 / 256))
    assert mcnemar(labels, second, first)[2] == pytest.approx(2 * 37 / 256)
    assert mcnemar(labels, first, first) == (0, 0, 1.0)


def test_a_model_against_itself_differs_by_nothing():
    labels, probabilities = simulated(0, 1.0)
    both = pd.concat([decided("a", labels, probabilities), decided("b", labels, probabilities)])
    row = comparison_table(both, ["a", "b"], "a", **SETTINGS).iloc[0]
    assert row[["balanced_accuracy", "low", "high", "auc", "auc_low", "auc_high"]].eq(0).all()
    assert row["mcnemar_p"] == 1
    assert "120 patients" in comparison_sentence(row)
    assert "better" not in comparison_sentence(row)


def test_a_clearly_better_model_is_better_and_the_other_is_worse():
    labels, good = simulated(1, 5.0)
    _, poor = simulated(2, 0.3)
    both = pd.concat([decided("good", labels, good), decided("poor", labels, poor)])
    up = comparison_table(both, ["good", "poor"], "poor", **SETTINGS).iloc[0]
    down = comparison_table(both, ["good", "poor"], "good", **SETTINGS).iloc[0]
    truth = balanced_accuracy_score(labels, good >= 0.5) - balanced_accuracy_score(
        labels, poor >= 0.5
    )
    assert up["balanced_accuracy"] == pytest.approx(truth)
    assert up["low"] > 0 > down["high"]
    assert up["mcnemar_p"] < 0.001
    assert "good is better than poor" in comparison_sentence(up)
    assert "McNemar p < 0.001" in comparison_sentence(up)
    assert "poor is worse than good" in comparison_sentence(down)


def test_the_reference_is_never_compared_with_itself():
    labels, probabilities = simulated(3, 1.0)
    tables = [
        decided(name, labels, np.roll(probabilities, shift)) for shift, name in enumerate("abc")
    ]
    table = comparison_table(pd.concat(tables), ["a", "b", "c"], "b", **SETTINGS)
    assert table["model"].tolist() == ["a", "c"]
    assert table["reference"].unique().tolist() == ["b"]


def test_repeated_folds_do_not_add_patients():
    labels, probabilities = simulated(4, 0.8)
    other = np.roll(probabilities, 1)
    once = pd.concat([decided("a", labels, probabilities), decided("b", labels, other)])
    thrice = pd.concat(
        [
            decided(name, labels, values, repeat)
            for repeat in (1, 2, 3)
            for name, values in (("a", probabilities), ("b", other))
        ]
    )
    pd.testing.assert_frame_equal(
        comparison_table(thrice, ["b"], "a", **SETTINGS),
        comparison_table(once, ["b"], "a", **SETTINGS),
    )


def test_false_verdicts_are_as_rare_as_the_level_promises():
    wrong = 0
    for seed in range(100):
        labels, first = simulated(1000 + seed, 1.0)
        _, second = simulated(5000 + seed, 1.0)
        both = pd.concat([decided("a", labels, first), decided("b", labels, second)])
        row = comparison_table(both, ["b"], "a", resamples=200, level=0.9, seed=seed).iloc[0]
        wrong += not row["low"] <= 0 <= row["high"]
    assert wrong <= 22  # 10 expected of 100, four standard deviations above
