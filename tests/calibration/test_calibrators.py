from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from lymphokit.calibration.calibrators import CalibrationError, Method, fit_calibrator


def planted(
    n: int, temperature: float = 1.0, bias: float = 0.0, seed: int = 0, apart: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predicted and true probabilities: predicted log odds are scaled and shifted."""
    generator = np.random.default_rng(seed)
    labels = (generator.random(n) < 0.69).astype(np.int64)
    odds = apart * generator.normal(apart * (labels - 0.5), 1) + logit(0.69)
    return labels, expit(temperature * odds + bias), expit(odds)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_planted_temperature_is_recovered(temperature):
    labels, probabilities, truth = planted(40_000, temperature)
    fitted = fit_calibrator("temperature", labels, probabilities)
    assert 1 / fitted.slope == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(fitted(probabilities), truth, atol=0.02)


def test_a_planted_bias_is_corrected_by_platt_and_not_by_a_temperature():
    labels, probabilities, truth = planted(40_000, 2.0, bias=-1.5)
    fitted = fit_calibrator("platt", labels, probabilities)
    assert (fitted.slope, fitted.intercept) == pytest.approx((0.5, 0.75), abs=0.05)
    np.testing.assert_allclose(fitted(probabilities), truth, atol=0.02)
    left = fit_calibrator("temperature", labels, probabilities)(probabilities)
    assert np.abs(left - truth).mean() > 0.05


def test_platt_is_scikit_learns_on_the_log_odds():
    labels, probabilities, _ = planted(200, 0.4, bias=-0.5)
    plain = (probabilities > 0.05) & (probabilities < 0.95)  # where log odds are taken as they are
    labels, probabilities = labels[plain], probabilities[plain]
    odds = logit(probabilities)[:, None]
    # A model whose decision function is the log odds themselves.
    model = LogisticRegression().fit(odds, labels)
    model.coef_, model.intercept_ = np.array([[1.0]]), np.array([0.0])
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="sigmoid").fit(odds, labels)
    ours = fit_calibrator("platt", labels, probabilities)
    np.testing.assert_allclose(ours(probabilities), theirs.predict_proba(odds)[:, 1], atol=1e-4)


def test_isotonic_is_scikit_learns():
    labels, probabilities, _ = planted(97, 2.0)
    theirs = IsotonicRegression(y_min=1 / 99, y_max=98 / 99, out_of_bounds="clip")
    theirs.fit(probabilities, labels)
    grid = np.linspace(0, 1, 301)
    ours = fit_calibrator("isotonic", labels, probabilities)
    np.testing.assert_allclose(ours(grid), theirs.predict(grid), atol=1e-12)


@pytest.mark.parametrize("method", get_args(Method))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(4, 40))
def test_the_order_of_patients_stays_and_probabilities_stay_in_range(method, seed, n):
    generator = np.random.default_rng(seed)
    labels = np.append([0, 1], generator.integers(0, 2, n - 2))
    probabilities = generator.choice([0.0, 0.2, 0.5, 0.9, 1.0], n)
    calibrated = fit_calibrator(method, labels, probabilities)(np.linspace(0, 1, 50))
    assert (np.diff(calibrated) >= -1e-15).all()
    assert (calibrated >= 0).all()
    assert (calibrated <= 1).all()


def test_a_model_without_information_gets_the_share_of_tumoral_patients():
    labels = np.repeat([1, 0], [67, 30])
    upside_down = np.repeat([0.2, 0.9], [67, 30])
    level = fit_calibrator("platt", labels, np.full(97, 0.3))
    turned = fit_calibrator("platt", labels, upside_down)
    for fitted in (level, turned):
        assert fitted(np.array([0.1, 0.9])) == pytest.approx([67 / 97] * 2, abs=0.01)


@pytest.mark.parametrize("method", ["platt", "temperature", "isotonic"])
def test_separated_labels_give_no_probability_beyond_what_the_patients_support(method):
    labels = np.repeat([0, 1], [30, 67])
    probabilities = np.where(labels == 1, 0.8, 0.2)
    calibrated = fit_calibrator(method, labels, probabilities)(np.array([0.2, 0.8]))
    assert 1 / 100 < calibrated[0] < 0.1
    assert 0.9 < calibrated[1] < 99 / 100


def test_on_97_patients_platt_costs_little_without_a_bias_and_gains_much_with_one():
    # The choice in config.yaml: expected log loss above that of the truth, over 60 cohorts.
    def excess(method: str, bias: float) -> float:
        _, probabilities, truth = planted(4_000, bias=bias, apart=1.5, seed=999)
        losses = []
        for seed in range(60):
            labels, inner, _ = planted(97, bias=bias, apart=1.5, seed=seed)
            calibrated = np.clip(
                fit_calibrator(method, labels, inner)(probabilities), 1e-9, 1 - 1e-9
            )
            losses.append(
                -(
                    truth * np.log(calibrated / truth)
                    + (1 - truth) * np.log((1 - calibrated) / (1 - truth))
                )
            )
        return float(np.mean(losses))

    assert excess("platt", 0.0) < excess("temperature", 0.0) + 0.01
    assert excess("platt", -0.8) < excess("temperature", -0.8) - 0.01
    assert excess("platt", 0.0) < excess("isotonic", 0.0) - 0.01


def test_inner_predictions_of_one_label_are_refused():
    with pytest.raises(CalibrationError, match="both labels"):
        fit_calibrator("platt", np.ones(5, dtype=np.int64), np.linspace(0.1, 0.9, 5))
