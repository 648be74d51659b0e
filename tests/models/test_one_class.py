"""The boundary around reactive cells: by hand, honestly rated, and what a share is taken for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import logit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from lymphokit.bags.packed import Bags
from lymphokit.models.one_class import Boundary, OneClass
from tests.bags.toys import Patients, patients

Make = Callable[..., OneClass]


@pytest.fixture
def model(settings: Callable[..., Any]) -> Make:
    return lambda **changes: OneClass(settings("one_class", **{"pca": None} | changes), seed=0)


def fitted(model: OneClass, on: Patients) -> OneClass:
    return model.fit(on.bags, on.labels, on.clinical)


def reactive_of(of: Patients) -> Bags:
    return of.bags.take(np.flatnonzero(of.labels == 0))


def test_scores_are_minus_the_margins_of_scikit_learns_svm_on_reactive_cells(model: Make) -> None:
    of, new = patients(20, seed=0), patients(8, seed=1)
    by_hand = make_pipeline(StandardScaler(), OneClassSVM(nu=0.2, gamma=0.05, tol=1e-8))
    by_hand.fit(reactive_of(of).instances)
    ours = fitted(model(nu=0.2, gamma=0.05), of).cell_scores(new.bags)
    np.testing.assert_allclose(ours, -by_hand.decision_function(new.bags.instances), atol=1e-3)


def test_nu_is_the_share_of_reactive_training_cells_outside(model: Make) -> None:
    of = patients(80, seed=0)
    for nu in (0.1, 0.4):
        outside = fitted(model(nu=nu), of).cell_scores(reactive_of(of)) > 0.0
        assert outside.mean() == pytest.approx(nu, abs=0.03)


def test_cells_of_tumoral_patients_do_not_move_the_boundary(model: Make) -> None:
    of, new = patients(20, seed=0), patients(8, seed=1)
    moved = of.bags.instances + 5.0 * (of.labels[of.bags.bag_of] == 1)[:, None]
    other = Patients(of.bags.with_instances(moved), of.labels, of.clinical)
    ours, theirs = fitted(model(pca=3), of), fitted(model(pca=3), other)
    np.testing.assert_array_equal(ours.cell_scores(new.bags), theirs.cell_scores(new.bags))


def test_a_patients_probability_rises_with_the_share_of_cells_outside(model: Make) -> None:
    of, new = patients(30, seed=0), patients(12, seed=1)
    trained = fitted(model(), of)
    is_outside = trained.cell_scores(new.bags) > 0.0
    shares = np.array([part.mean() for part in np.split(is_outside, new.bags.offsets[1:-1])])
    odds = logit(trained.predict_proba(new.bags, new.clinical))
    assert trained.slope_ > 0.0
    np.testing.assert_allclose(odds, trained.slope_ * shares + trained.intercept_)


def test_training_shares_are_of_boundaries_that_did_not_see_the_patient(
    model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    around, shares_outside = OneClass._around, Boundary.shares_outside
    seen_by: dict[int, set[str]] = {}
    rated: list[str] = []

    def watched_around(self: OneClass, reactive: Bags) -> Boundary:
        boundary = around(self, reactive)
        seen_by[id(boundary)] = set(reactive.ids)
        return boundary

    def watched_shares(self: Boundary, bags: Bags) -> np.ndarray:
        assert not set(bags.ids) & seen_by[id(self)]
        rated.extend(bags.ids)
        return shares_outside(self, bags)

    monkeypatch.setattr(OneClass, "_around", watched_around)
    monkeypatch.setattr(Boundary, "shares_outside", watched_shares)
    of = patients(23, seed=0)
    trained = fitted(model(cross_fit=4), of)
    assert sorted(rated) == sorted(of.bags.ids)
    reactive = {name for name, label in zip(of.bags.ids, of.labels, strict=True) if label == 0}
    assert seen_by[id(trained.boundary_)] == reactive


def test_a_boundary_that_fits_too_tightly_is_found_out(model: Make) -> None:
    of = patients(40, seed=0, features=20, shift=0.0)  # nothing to learn
    trained = fitted(model(gamma=3.0), of)
    reactive = of.labels == 0
    assert trained.boundary_.shares_outside(reactive_of(of)).mean() < 0.6
    assert trained.shares_[reactive].mean() > 0.95
    assert trained.predict_proba(of.bags, of.clinical)[reactive].mean() > 0.4


def test_the_order_of_training_patients_does_not_show(model: Make) -> None:
    of, new = patients(24, seed=0, shift=1.5), patients(10, seed=1, shift=1.5)
    turned = of.take(np.arange(24)[::-1])
    ours, theirs = fitted(model(), of), fitted(model(), turned)
    np.testing.assert_array_equal(ours.shares_, theirs.shares_[::-1])
    np.testing.assert_allclose(
        ours.predict_proba(new.bags, new.clinical),
        theirs.predict_proba(new.bags, new.clinical),
        atol=1e-6,
    )


def test_a_single_reactive_patient_is_not_enough(model: Make) -> None:
    of = patients(10, seed=0)
    chosen = np.concatenate([np.flatnonzero(of.labels == 1), np.flatnonzero(of.labels == 0)[:1]])
    with pytest.raises(ValueError, match="2 training patients of each label"):
        fitted(model(), of.take(chosen))
