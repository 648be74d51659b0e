import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from lymphokit.calibration import reliability
from lymphokit.calibration.measures import LARGEST, ece_of_perfect, measures
from lymphokit.evaluation.intervals import wilson_interval


def fold_of(
    n: int = 130, *, seed: int = 0, temperature: float = 2.0, bias: float = -1.0
) -> pd.DataFrame:
    """Predictions of one fold: overconfident, and too low."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(n) < 0.69).astype(np.int64)
    odds = 1.8 * generator.normal(1.8 * (labels - 0.5), 1) + logit(0.69)
    part = np.where(np.arange(n) < 0.75 * n, "inner", "validation")
    return pd.DataFrame(
        {
            "patient": [f"P{i}" for i in range(n)],
            "part": part,
            "inner": np.where(part == "inner", np.arange(n) % 5, -1),
            "label": labels,
            "probability": expit(temperature * odds + bias),
        }
    )


def calibrated_folds(n_folds: int = 4, n: int = 130) -> pd.DataFrame:
    tables = []
    for fold in range(1, n_folds + 1):
        rows = fold_of(n, seed=fold)
        rows["patient"] = f"F{fold}" + rows["patient"]
        done, _ = reliability.calibrate(rows, model="m", fold=fold, repeat=1, method="platt")
        tables.append(done)
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("method", ["platt", "temperature", "isotonic"])
def test_a_calibrator_never_reads_a_label_of_a_validation_patient(method):
    honest = fold_of()
    held = honest["part"] == "validation"
    shuffled = honest.copy()
    shuffled.loc[held, "label"] = 1 - honest.loc[held, "label"]
    made, learned = reliability.calibrate(honest, model="m", fold=1, repeat=1, method=method)
    again, same = reliability.calibrate(shuffled, model="m", fold=1, repeat=1, method=method)
    assert learned == same
    assert learned["n_patients"] == int((~held).sum())
    np.testing.assert_array_equal(made["calibrated"], again["calibrated"])


def test_an_inner_label_does_change_the_calibrator():
    honest = fold_of()
    other = honest.copy()
    other.loc[other["part"] == "inner", "label"] = np.roll(
        other.loc[other["part"] == "inner", "label"], 7
    )
    _, learned = reliability.calibrate(honest, model="m", fold=1, repeat=1, method="platt")
    _, unlike = reliability.calibrate(other, model="m", fold=1, repeat=1, method="platt")
    assert learned["slope"] != unlike["slope"]


def test_measures_are_scikit_learns_with_weights_for_draws():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 2, 60)
    probabilities = np.clip(expit(generator.normal(labels - 0.5, 1.5)), 0.02, 0.98)
    draws = generator.multinomial(60, np.full(60, 1 / 60), size=3).astype(np.float64)
    found = {name: measure(labels, probabilities, draws) for name, measure in measures(6).items()}
    for place, weights in enumerate(draws):
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        fitted.fit(logit(probabilities)[:, None], labels, sample_weight=weights)
        assert found["slope"][place] == pytest.approx(fitted.coef_[0, 0], rel=1e-3)
        assert found["brier"][place] == pytest.approx(
            brier_score_loss(labels, probabilities, sample_weight=weights)
        )
        assert found["log_loss"][place] == pytest.approx(
            log_loss(labels, probabilities, sample_weight=weights)
        )
        moved = expit(logit(probabilities) + found["intercept"][place])
        assert weights @ moved == pytest.approx(weights @ labels, abs=1e-4)


def test_the_calibration_error_by_hand():
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8])
    found = measures(2)["ece"](labels, probabilities, np.array([[1.0, 1, 1, 1], [2, 0, 1, 1]]))
    assert found == pytest.approx([(0.4 + 0.6) / 4, (0.2 + 0.6) / 4])


def test_a_perfect_model_has_a_calibration_error_on_few_patients_and_hardly_any_on_many():
    generator = np.random.default_rng(0)
    few, many = generator.beta(2, 1, 121), generator.beta(2, 1, 20_000)
    assert ece_of_perfect(few, n_bins=6, seed=0) > 0.04
    assert ece_of_perfect(many, n_bins=6, seed=0) < 0.01
    seen = [
        measures(6)["ece"]((generator.random(121) < few).astype(int), few, np.ones((1, 121)))[0]
        for _ in range(300)
    ]
    assert np.mean(seen) == pytest.approx(ece_of_perfect(few, n_bins=6, seed=0), abs=0.01)


def test_separated_labels_have_a_steep_slope_and_equal_probabilities_have_none():
    labels, everyone = np.repeat([0, 1], 20), np.ones((1, 40))
    slope = measures(6)["slope"]
    assert slope(labels, np.where(labels, 0.7, 0.3), everyone)[0] == LARGEST
    assert slope(labels, np.where(labels, 0.3, 0.7), everyone)[0] == -LARGEST
    assert np.isnan(slope(labels, np.full(40, 0.6), everyone)[0])


def test_a_resample_of_one_label_has_no_slope_and_the_largest_intercept():
    labels, probabilities = np.array([0, 1, 0, 1]), np.array([0.2, 0.4, 0.6, 0.8])
    draws = np.array([[1.0, 1, 1, 1], [0, 2, 0, 2], [2, 0, 2, 0]])
    slopes = measures(2)["slope"](labels, probabilities, draws)
    assert np.isfinite(slopes).tolist() == [True, False, False]
    intercepts = measures(2)["intercept"](labels, probabilities, draws)
    assert intercepts.tolist() == [pytest.approx(0.0, abs=1e-12), LARGEST, -LARGEST]


def test_the_table_shows_the_planted_faults_before_and_none_after():
    table = reliability.calibration_table(
        calibrated_folds(n=800), ["m"], n_bins=6, resamples=300, level=0.95, seed=0
    )
    rows = table.set_index("measure")
    assert rows.loc["slope", "before"] == pytest.approx(0.5, abs=0.1)
    assert rows.loc["slope", "after_low"] < 1 < rows.loc["slope", "after_high"]
    assert rows.loc["log_loss", "change_high"] < 0
    assert rows.loc["ece", "after"] < rows.loc["ece", "before"]
    assert 0 < rows.loc["ece", "perfect_after"] < rows.loc["ece", "before"]
    assert reliability.miscalibration(table, "m", "before") == "overconfident, too low"
    assert reliability.miscalibration(table, "m", "after") == "no fault found"
    assert (table["n_patients"] == 4 * 200).all()


def test_repeats_do_not_count_as_more_patients():
    once = calibrated_folds()
    twice = pd.concat([once, once.assign(repeat=2, fold=once["fold"] + 4)])
    tables = [
        reliability.calibration_table(t, ["m"], n_bins=6, resamples=100, level=0.95, seed=0)
        for t in (once, twice)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_every_patient_is_in_one_bin_and_a_bin_has_wilsons_interval():
    points = reliability.reliability_bins(calibrated_folds(), ["m"], n_bins=6, level=0.95)
    before = points[points["stage"] == "before"]
    assert len(before) == 6
    assert before["n_patients"].sum() == 4 * 32
    assert before["n_patients"].max() - before["n_patients"].min() <= 1
    assert before["probability"].is_monotonic_increasing
    for row in before.to_dict("records"):
        share = wilson_interval(row["n_tumoral"], row["n_patients"], 0.95)
        assert (row["share_low"], row["share"], row["share_high"]) == (
            share.low,
            share.estimate,
            share.high,
        )


def test_a_wanted_sensitivity_is_reached_on_validation_patients():
    predictions = {"m": {}}
    for fold in range(1, 41):
        rows = fold_of(seed=fold)
        predictions["m"][fold] = rows.assign(patient=f"F{fold}" + rows["patient"])
    repeat_of = dict.fromkeys(predictions["m"], 1)
    table = reliability.sensitivity_table(predictions, repeat_of, wanted=[0.8, 0.9], level=0.95)
    assert table["sensitivity"].tolist() == pytest.approx([0.81, 0.91], abs=0.025)
    assert table["n_tumoral"].iloc[0] + table["n_reactive"].iloc[0] == 40 * 32
    assert (table["sensitivity_low"] < table["sensitivity"]).all()


def test_the_named_models_come_first_and_then_those_that_change_most():
    table = pd.DataFrame(
        {
            "model": ["a", "b", "c", "d"],
            "measure": "log_loss",
            "change": [0.0, -0.1, 0.3, -0.5],
        }
    )
    assert reliability.most_changed(table, ["b", "a"], 3) == ["b", "a", "d"]


def test_a_constant_prediction_on_few_patients_is_measured_as_well():
    rows = fold_of(24).assign(probability=0.7)
    table, _ = reliability.calibrate(rows, model="m", fold=1, repeat=1, method="platt")
    found = reliability.calibration_table(
        table, ["m"], n_bins=6, resamples=100, level=0.95, seed=0
    ).set_index("measure")
    assert np.isnan(found.loc["slope", ["before", "after_low"]].to_numpy(np.float64)).all()
    assert np.isfinite(found.loc[["brier", "ece", "intercept"], "after_high"]).all()
    assert reliability.reliability_bins(table, ["m"], n_bins=6, level=0.95)["bin"].tolist() == [
        1,
        1,
    ]
