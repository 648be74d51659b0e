import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import balanced_accuracy_score

from lymphokit.ensemble import fold
from lymphokit.ensemble.blend import BlendError
from lymphokit.evaluation import out_of_fold, threshold

MODELS = ["clinical", "a", "b", "c", "d"]
SETTINGS = {
    "blended": MODELS,
    "image_models": MODELS[1:],
    "best": 5,
    "stack_C": 0.1,
    "product": {"images": ["a", "b"], "clinical": ["clinical"]},
    "choices": {"chosen": ["a", "b", "c"]},
    "rule": "prevalence",
}


def patients_and_predictions(
    seed: int, *, n_training: int = 60, n_validation: int = 20, n_test: int = 6, signal: float = 1.0
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """One fold: patients and the predictions of five models; signal 0 is noise."""
    generator = np.random.default_rng(seed)
    n = n_training + n_validation + n_test
    parts = np.repeat(["inner", "validation", "test"], [n_training, n_validation, n_test])
    truth = (generator.permutation(n) < 0.69 * n).astype(int)
    table = pd.DataFrame(
        {
            "patient": [f"P{i}" for i in range(n)],
            "part": parts,
            "inner": np.where(parts == "inner", np.arange(n) % 3, -1),
            "label": np.where(parts == "test", -1, truth),
        }
    )
    patients = table[["patient"]].assign(
        age_years=generator.normal(70, 10, n),
        lymphocytes_giga_per_litre=np.exp(generator.normal(2, 0.7, n)),
    )
    centred = signal * (truth - truth.mean())
    predictions = {
        model: table.assign(probability=expit(0.8 + centred + generator.normal(size=n)))
        for model in MODELS
    }
    return patients, predictions


def blended(patients, predictions, **changes):
    settings = SETTINGS | changes
    members = fold.MemberPredictions.from_tables(predictions, patients)
    return fold.blend_fold(members, fold.recipes(**settings), settings["rule"])


def relabelled(predictions, change):
    """The same predictions with labels changed by `change(table) -> labels`."""
    return {model: table.assign(label=change(table)) for model, table in predictions.items()}


def test_blends_are_tables_like_those_of_models():
    patients, predictions = patients_and_predictions(0)
    tables, chosen = blended(patients, predictions)
    assert list(tables) == ["vote", "mean", "stack", "product", "images", "chosen"]
    for name, table in tables.items():
        assert table.columns.tolist() == out_of_fold.COLUMNS
        pd.testing.assert_frame_equal(
            out_of_fold.validate(table)[fold.KEYS], predictions["a"][fold.KEYS], obj=name
        )
    assert json.loads(json.dumps(chosen)) == chosen


def test_the_recorded_threshold_is_the_one_that_decides():
    patients, predictions = patients_and_predictions(1)
    for rule in ("prevalence", "midpoint", "balanced_accuracy", 0.4):
        tables, chosen = blended(patients, predictions, rule=rule)
        for name, table in tables.items():
            decided = out_of_fold.decision_table(
                table, model=name, fold=1, repeat=1, rule=fold.rule_for(name, rule)
            )
            assert decided["threshold"].unique().tolist() == [chosen[name]["threshold"]]
        assert chosen["vote"]["threshold"] == 0.5


def test_labels_of_validation_patients_change_nothing():
    patients, predictions = patients_and_predictions(2)
    swapped = relabelled(
        predictions, lambda t: t["label"].mask(t["part"] == "validation", 1 - t["label"])
    )
    tables, chosen = blended(patients, predictions, rule="balanced_accuracy")
    again, chosen_again = blended(patients, swapped, rule="balanced_accuracy")
    assert chosen == chosen_again
    for name in tables:
        assert tables[name]["probability"].equals(again[name]["probability"])


@pytest.mark.parametrize("name", ["vote", "stack", "chosen"])
def test_an_inner_prediction_of_a_blend_does_not_depend_on_labels_of_its_inner_fold(name):
    patients, predictions = patients_and_predictions(3)
    swapped = relabelled(predictions, lambda t: t["label"].mask(t["inner"] == 1, 1 - t["label"]))
    before = blended(patients, predictions)[0][name]
    after = blended(patients, swapped)[0][name]
    held_out, others = before["inner"] == 1, before["inner"].isin([0, 2])
    assert before.loc[held_out, "probability"].equals(after.loc[held_out, "probability"])
    assert not before.loc[others, "probability"].equals(after.loc[others, "probability"])


def test_models_may_come_with_their_rows_in_any_order():
    patients, predictions = patients_and_predictions(4)
    shuffled = {
        model: table.sample(frac=1, random_state=seed)
        for seed, (model, table) in enumerate(predictions.items())
    }
    first, second = blended(patients, predictions), blended(patients.iloc[::-1], shuffled)
    assert first[1] == second[1]
    for name in first[0]:
        pd.testing.assert_frame_equal(first[0][name], second[0][name])


def test_noise_scores_half_out_of_fold_while_choosing_on_the_scored_patients_looks_better():
    honest: dict[str, list[float]] = {name: [] for name in fold.recipes(**SETTINGS)}
    naive: list[float] = []
    best_model: list[float] = []
    for seed in range(30):
        patients, predictions = patients_and_predictions(
            seed, n_validation=80, n_test=0, signal=0.0
        )
        tables, _ = blended(patients, predictions, rule="balanced_accuracy")
        for name, table in tables.items():
            decided = out_of_fold.decision_table(
                table,
                model=name,
                fold=1,
                repeat=1,
                rule=fold.rule_for(name, "balanced_accuracy"),
            )
            honest[name].append(balanced_accuracy_score(decided["label"], decided["decision"]))
        scored = tables["mean"].query("part == 'validation'")
        naive.append(_best_threshold_score(scored))
        of_models = [table.query("part == 'validation'") for table in predictions.values()]
        best_model.append(max(_best_threshold_score(table) for table in of_models))
    # A score of 80 patients varies by 0.06, the mean of 30 cohorts by 0.011: four of them.
    for name, scores in honest.items():
        assert abs(np.mean(scores) - 0.5) < 0.045, name
    assert np.mean(naive) > 0.55
    assert np.mean(best_model) > 0.6


def _best_threshold_score(table: pd.DataFrame) -> float:
    labels, probabilities = table["label"].to_numpy(), table["probability"].to_numpy()
    cut = threshold.choose("balanced_accuracy", labels, probabilities)
    return balanced_accuracy_score(labels, probabilities >= cut)


def test_informative_models_are_better_together():
    alone, together = [], []
    for seed in range(8):
        patients, predictions = patients_and_predictions(seed, n_validation=200, signal=1.2)
        tables, _ = blended(patients, predictions)
        for scores, table in ((alone, predictions["a"]), (together, tables["stack"])):
            decided = out_of_fold.decision_table(
                table, model="m", fold=1, repeat=1, rule="prevalence"
            ).query("part == 'validation'")
            scores.append(balanced_accuracy_score(decided["label"], decided["decision"]))
    assert np.mean(together) > np.mean(alone) + 0.05


def test_models_of_different_patients_are_not_blended():
    patients, predictions = patients_and_predictions(5)
    predictions["b"] = predictions["b"].iloc[1:]
    with pytest.raises(BlendError, match="b did not predict the patients of clinical"):
        fold.MemberPredictions.from_tables(predictions, patients)


def test_a_model_may_not_have_the_name_of_a_blend():
    patients, predictions = patients_and_predictions(6)
    with pytest.raises(BlendError, match="mean"):
        fold.MemberPredictions.from_tables({"mean": predictions["a"]}, patients)
    with pytest.raises(BlendError, match="no models"):
        fold.MemberPredictions.from_tables({}, patients)


def long_table(probabilities) -> pd.DataFrame:
    """Three folds with thresholds 0.5, 0.6, 0.7: predictions of models m and k for P2, P10."""
    rows = [
        (number, patient, "test", model, probability, cut)
        for model, shift in (("m", 0.0), ("k", 0.1))
        for number, (cut, row) in enumerate(zip((0.5, 0.6, 0.7), probabilities, strict=True), 1)
        for patient, probability in zip(("P10", "P2"), np.array(row)[::-1] + shift, strict=True)
    ]
    return pd.DataFrame(
        rows, columns=["fold", "patient", "part", "model", "probability", "threshold"]
    )


def test_margins_that_cancel_but_for_rounding_are_a_tie_and_tumoral():
    probabilities = ((0.9, 0.4), (0.2, 0.8), (0.7, 0.6))
    raw = np.array([[0.9 - 0.5, 0.2 - 0.6, 0.7 - 0.7], [0.4 - 0.5, 0.8 - 0.6, 0.6 - 0.7]])
    assert (raw.mean(axis=1) != 0).any()
    table = fold.submission_labels(long_table(probabilities), "m")
    assert table["patient"].tolist() == ["P2", "P10"]
    assert table["margin"].tolist() == [0.0, 0.0]
    assert table["label"].tolist() == [1, 1]


def test_the_submitted_label_is_the_side_of_the_mean_margin():
    table = fold.submission_labels(long_table(((0.9, 0.4), (0.2, 0.9), (0.7, 0.1))), "m")
    assert table["margin"].tolist() == pytest.approx([0.0, (-0.1 + 0.3 - 0.6) / 3])
    assert table["label"].tolist() == [1, 0]


def test_a_test_patient_missing_from_a_fold_is_refused():
    table = long_table(((0.9, 0.4), (0.2, 0.9), (0.7, 0.1)))
    with pytest.raises(BlendError, match="P2"):
        fold.submission_labels(table.drop(index=1), "m")
    with pytest.raises(BlendError, match="no predictions"):
        fold.submission_labels(table, "unknown")


def test_a_choice_predicts_as_the_model_taken_and_records_which():
    patients, predictions = patients_and_predictions(7)
    inner = predictions["c"]["part"] == "inner"
    visible = predictions["c"]["label"].where(inner, 1)
    predictions["c"] = predictions["c"].assign(probability=np.where(visible == 1, 0.9, 0.1))
    tables, chosen = blended(patients, predictions)
    assert chosen["chosen"]["taken"] == "c"
    assert list(chosen["chosen"]["models"]) == ["a", "b", "c"]
    rest = tables["chosen"].query("part != 'inner'")
    probabilities = predictions["c"].set_index("patient")["probability"]
    assert rest["probability"].tolist() == probabilities.loc[rest["patient"]].tolist()


def test_models_outside_the_blends_enter_a_choice_and_nothing_else():
    patients, predictions = patients_and_predictions(8)
    tables, chosen = blended(patients, predictions, blended=MODELS[:3], image_models=MODELS[1:3])
    without = {model: predictions[model] for model in MODELS[:3]}
    fewer, _ = blended(patients, without, blended=MODELS[:3], image_models=MODELS[1:3], choices={})
    assert list(chosen["vote"]["models"]) == MODELS[:3]
    for name in ("vote", "mean", "stack"):
        pd.testing.assert_frame_equal(tables[name], fewer[name])


def test_without_a_model_to_blend_the_remedy_is_named():
    with pytest.raises(BlendError, match="enabled: true"):
        fold.recipes(**(SETTINGS | {"blended": []}))


def test_without_a_model_of_its_own_a_product_is_left_out():
    def names(images, clinical):
        return list(
            fold.recipes(**SETTINGS | {"product": {"images": images, "clinical": clinical}})
        )

    assert "product" not in names(["a"], [])
    assert "images" in names(["a"], [])
    assert {"product", "images"}.isdisjoint(names([], ["clinical"]))


def test_the_product_takes_no_labels_but_those_of_the_training_part():
    """Nothing is fitted but the prevalence: other labels of validation patients change nothing."""
    patients, predictions = patients_and_predictions(1)
    flipped = relabelled(
        predictions,
        lambda table: table["label"].where(table["part"] != "validation", 1 - table["label"]),
    )
    tables, others = blended(patients, predictions)[0], blended(patients, flipped)[0]
    for name in ("product", "images"):
        np.testing.assert_array_equal(tables[name]["probability"], others[name]["probability"])


def test_a_choice_among_blends_takes_the_best_on_inner_predictions():
    patients, predictions = patients_and_predictions(2)
    tables, chosen = blended(patients, predictions, choices={"best": ["vote", "product", "d"]})
    taken = chosen["best"]["taken"]
    source = predictions["d"] if taken == "d" else tables[taken]
    is_new = tables["best"]["part"] != "inner"
    np.testing.assert_array_equal(
        tables["best"].loc[is_new, "probability"], source.loc[is_new, "probability"]
    )
    scores = {name: each["balanced_accuracy"] for name, each in chosen["best"]["models"].items()}
    assert scores[taken] == max(scores.values())
    inner = tables["vote"][tables["vote"]["part"] == "inner"]
    cut = threshold.choose("prevalence", inner["label"].to_numpy(), inner["probability"].to_numpy())
    decided = inner["probability"] >= cut
    assert scores["vote"] == pytest.approx(balanced_accuracy_score(inner["label"], decided))
