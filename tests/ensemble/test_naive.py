import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from lymphokit.ensemble import naive
from lymphokit.ensemble.fold import recipes
from tests.ensemble.test_fold import MODELS, SETTINGS, patients_and_predictions

BLENDS = recipes(**(SETTINGS | {"rule": naive.RULE, "choices": {"chosen": MODELS}}))


def naive_scores(patients, predictions, repeat_of=(1,)):
    folds = {model: [table] * len(repeat_of) for model, table in predictions.items()}
    return naive.naive_scores(folds, list(repeat_of), patients, BLENDS)


def best_by_trying_every_cut(table: pd.DataFrame) -> float:
    rows = table.query("part == 'validation'")
    cuts = [0.0, *rows["probability"], 1.1]
    return max(balanced_accuracy_score(rows["label"], rows["probability"] >= cut) for cut in cuts)


def test_a_models_naive_score_is_its_best_over_all_thresholds():
    patients, predictions = patients_and_predictions(0, signal=0.5)
    scores = naive_scores(patients, predictions)
    for model, table in predictions.items():
        assert scores[model] == pytest.approx(best_by_trying_every_cut(table))


def test_the_naive_choice_is_the_best_row_of_the_table():
    patients, predictions = patients_and_predictions(1, signal=0.0)
    scores = naive_scores(patients, predictions)
    assert scores["chosen"] == max(scores[model] for model in MODELS) > 0.5


def test_every_naive_score_of_pure_noise_is_above_half():
    totals = []
    for seed in range(20):
        patients, predictions = patients_and_predictions(seed, n_validation=60, signal=0.0)
        totals.append(naive_scores(patients, predictions))
    means = pd.DataFrame(totals).mean()
    assert list(means.index) == [
        *MODELS,
        *("vote", "mean", "stack", "product", "images", "chosen"),
    ]
    assert (means > 0.55).all()
    assert means["chosen"] > means[MODELS].max()


def test_inner_and_test_rows_change_nothing():
    patients, predictions = patients_and_predictions(2)
    changed = {
        model: table.assign(
            probability=np.where(table["part"] == "validation", table["probability"], 0.3)
        )
        for model, table in predictions.items()
    }
    assert naive_scores(patients, predictions) == naive_scores(patients, changed)


def test_repeats_are_averaged():
    patients, first = patients_and_predictions(3)
    again = {
        model: table.assign(probability=1 - table["probability"]) for model, table in first.items()
    }
    one, other = naive_scores(patients, first), naive_scores(patients, again)
    folds = {model: [first[model], again[model]] for model in MODELS}
    both = naive.naive_scores(folds, [1, 2], patients, BLENDS)
    for name, score in both.items():
        assert score == pytest.approx((one[name] + other[name]) / 2)
