"""Pooled bags: the moments by hand, and what the projection keeps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lymphokit.bags.packed import Bags
from lymphokit.models.pooled_logistic import PooledLogistic, pooled
from tests.bags.toys import patients

Settings = Callable[..., Any]


def test_a_bag_is_its_mean_and_its_spread() -> None:
    bags = Bags.pack([np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[7.0, -2.0]])], ["P1", "P2"])
    assert pooled(bags).tolist() == [[2.0, 5.0, 1.0, 0.0], [7.0, -2.0, 0.0, 0.0]]


def test_a_shift_of_all_cells_or_a_wider_spread_is_each_enough(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    for location, scale in [(2.0, 1.0), (0.0, 3.0)]:
        labels = np.arange(40) % 2
        cells = [
            rng.normal(location * label, 1.0 + (scale - 1.0) * label, size=(20, 5))
            for label in labels
        ]
        base = patients(40, seed=0)
        bags = Bags.pack(cells, base.bags.ids)
        model = PooledLogistic(settings("pooled", C=1.0), seed=0)
        probabilities = model.fit(bags, labels, base.clinical).predict_proba(bags, base.clinical)
        assert probabilities[labels == 1].min() > probabilities[labels == 0].max()


def test_every_component_is_kept_in_proportion(settings: Settings) -> None:
    """With all components, the ridge on them is the ridge on the standardised features over the
    deviation of their first component: a rotation does not change a length."""
    of = patients(30, seed=0, features=3)
    model = PooledLogistic(settings("pooled", pca=6, C=0.3), seed=0)
    model.fit(of.bags, of.labels, of.clinical)
    features = pooled(of.bags)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    first = np.sqrt(np.linalg.eigvalsh(np.cov(standardised.T))[-1])
    ridge = LogisticRegression(C=0.3, tol=1e-8).fit(standardised / first, of.labels)
    expected = ridge.predict_proba(standardised / first)[:, 1]
    np.testing.assert_allclose(model.predict_proba(of.bags, of.clinical), expected, atol=1e-5)


def test_the_same_features_many_times_over_change_nothing(settings: Settings) -> None:
    of = patients(30, seed=0, features=3)
    wide = of.bags.with_instances(np.tile(of.bags.instances, 7))
    narrow = PooledLogistic(settings("pooled", pca=3), seed=0)
    ours = narrow.fit(of.bags, of.labels, of.clinical).predict_proba(of.bags, of.clinical)
    theirs = narrow.fit(wide, of.labels, of.clinical).predict_proba(wide, of.clinical)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_components_are_no_more_than_the_patients_allow(settings: Settings) -> None:
    of = patients(10, seed=0, features=50)
    model = PooledLogistic(settings("pooled", pca=500), seed=0)
    assert model.fit(of.bags, of.labels, of.clinical).pca_.n_components_ == 9


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
def test_a_feature_that_never_changes_stays_finite(settings: Settings) -> None:
    of = patients(12, seed=0)
    constant = of.bags.with_instances(np.ones_like(of.bags.instances))
    model = PooledLogistic(settings("pooled"), seed=0)
    probabilities = model.fit(constant, of.labels, of.clinical).predict_proba(constant, of.clinical)
    assert probabilities == pytest.approx(np.full(12, 0.5))
