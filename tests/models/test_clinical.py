"""Models on age and count: what they see, and that they see nothing else."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from lymphokit.models.clinical import ClinicalLogistic, ClinicalLogisticSettings, ClinicalXgboost
from tests.bags.toys import Patients, patients

Settings = Callable[..., Any]


def logistic(C: float) -> ClinicalLogistic:
    settings = ClinicalLogisticSettings(kind="clinical_logistic", enabled=True, C=C)
    return ClinicalLogistic(settings, seed=0)


@pytest.fixture(params=["clinical", "clinical_xgb"])
def model(request: pytest.FixtureRequest, settings: Settings) -> ClinicalLogistic | ClinicalXgboost:
    kinds = {"clinical": ClinicalLogistic, "clinical_xgb": ClinicalXgboost}
    return kinds[request.param](settings(request.param), seed=0)


def test_the_bags_are_not_looked_at(model: ClinicalLogistic | ClinicalXgboost) -> None:
    of = patients(20, seed=0, in_images=False)
    blank = of.bags.with_instances(np.full_like(of.bags.instances, np.nan))
    with_images = model.fit(of.bags, of.labels, of.clinical).predict_proba(of.bags, of.clinical)
    without = model.fit(blank, of.labels, of.clinical).predict_proba(blank, of.clinical)
    np.testing.assert_array_equal(with_images, without)


def test_regression_is_the_ridge_optimum_on_standardised_age_and_log_count() -> None:
    of = patients(30, seed=0, in_images=False)
    C = 0.7
    columns = np.column_stack(
        [of.clinical.age_years, np.log(of.clinical.lymphocytes_giga_per_litre)]
    )
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    sign = 2.0 * of.labels - 1.0

    def cost(plane: np.ndarray) -> float:
        losses = np.log1p(np.exp(-sign * (columns @ plane[:2] + plane[2])))
        return float(0.5 * plane[:2] @ plane[:2] + C * losses.sum())

    best = minimize(cost, np.zeros(3), tol=1e-12).x
    model = logistic(C).fit(of.bags, of.labels, of.clinical)
    expected = 1.0 / (1.0 + np.exp(-(columns @ best[:2] + best[2])))
    np.testing.assert_allclose(model.predict_proba(of.bags, of.clinical), expected, atol=1e-4)


def test_mean_probability_is_the_share_of_positives() -> None:
    of = patients(40, seed=0, in_images=False)
    of = of.take(np.flatnonzero((of.labels == 1) | (np.arange(40) < 20)))
    model = logistic(1.0).fit(of.bags, of.labels, of.clinical)
    mean = model.predict_proba(of.bags, of.clinical).mean()
    assert mean == pytest.approx(of.labels.mean(), abs=1e-4)


def test_a_smaller_weight_of_positives_lowers_every_call_for_them(settings: Settings) -> None:
    def mean(weight: float | str, of: Patients) -> float:
        trees = ClinicalXgboost(settings("clinical_xgb", scale_pos_weight=weight), seed=0)
        return float(
            trees.fit(of.bags, of.labels, of.clinical).predict_proba(of.bags, of.clinical).mean()
        )

    of = patients(40, seed=0)
    assert mean(0.2, of) < mean("balanced", of) < mean(1.0, of)
    assert mean("balanced", of) == mean(0.5, of)  # half of these patients are tumoral
