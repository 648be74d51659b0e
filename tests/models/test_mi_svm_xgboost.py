"""MI-SVM's rates in boosted trees: whose rates, and what the trees make of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.models.mi_svm import MiSvm
from lymphokit.models.mi_svm_xgboost import MiSvmXgboost
from tests.bags.toys import Patients, patients

Settings = Callable[..., Any]


@pytest.fixture
def model(settings: Settings) -> Callable[..., MiSvmXgboost]:
    def of(*, seed: int = 0, **changes: Any) -> MiSvmXgboost:
        quick = {"pca": None, "trees": 20, "C": 500.0}
        return MiSvmXgboost(settings("mi_svm_xgb", **(quick | changes)), seed=seed)

    return of


def fitted(model: MiSvmXgboost, on: Patients) -> MiSvmXgboost:
    return model.fit(on.bags, on.labels, on.clinical)


def test_in_sample_rates_are_the_share_of_cells_above_the_plane(
    model: Callable[..., MiSvmXgboost],
) -> None:
    of = patients(20, seed=0)
    trees = fitted(model(cross_fit=0), of)
    above = trees.mi_svm_.cell_scores(of.bags) > 0.0
    by_hand = [part.mean() for part in np.split(above, of.bags.offsets[1:-1])]
    np.testing.assert_allclose(trees.rates_, by_hand)


def test_cross_fitted_rates_come_from_mi_svms_that_did_not_see_the_patient(
    model: Callable[..., MiSvmXgboost], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_by: dict[int, tuple[str, ...]] = {}
    fit, cell_scores = MiSvm.fit, MiSvm.cell_scores
    rated: list[str] = []

    def watched_fit(self: MiSvm, bags: Bags, labels: np.ndarray, clinical: Clinical) -> MiSvm:
        seen_by[id(self)] = bags.ids
        return fit(self, bags, labels, clinical)

    def watched_scores(self: MiSvm, bags: Bags) -> np.ndarray:
        assert not set(bags.ids) & set(seen_by[id(self)])
        rated.extend(bags.ids)
        return cell_scores(self, bags)

    monkeypatch.setattr(MiSvm, "fit", watched_fit)
    monkeypatch.setattr(MiSvm, "cell_scores", watched_scores)
    of = patients(23, seed=0)
    fitted(model(cross_fit=4), of)
    assert sorted(rated) == sorted(of.bags.ids)


def test_in_sample_rates_look_better_than_they_are(model: Callable[..., MiSvmXgboost]) -> None:
    of = patients(30, seed=1, features=40, shift=0.0)  # nothing to learn
    in_sample = roc_auc_score(of.labels, fitted(model(cross_fit=0), of).rates_)
    cross_fitted = roc_auc_score(of.labels, fitted(model(cross_fit=5), of).rates_)
    assert in_sample > 0.9
    assert cross_fitted < 0.75


def test_new_patients_are_rated_by_the_mi_svm_that_saw_all_training_patients(
    model: Callable[..., MiSvmXgboost], settings: Settings
) -> None:
    of, new = patients(20, seed=0), patients(10, seed=1)
    trees = fitted(model(cross_fit=3), of)
    alone = MiSvm(settings("mi_svm", pca=None, C=500.0), seed=0).fit(
        of.bags, of.labels, of.clinical
    )
    np.testing.assert_array_equal(trees.cell_scores(new.bags), alone.cell_scores(new.bags))


def test_the_trees_see_rate_age_and_count(model: Callable[..., MiSvmXgboost]) -> None:
    of = patients(30, seed=0, in_images=False)
    trees = fitted(model(), of)
    columns = np.column_stack([trees.rates_, of.clinical.matrix()])
    alone = XGBClassifier(
        n_estimators=20, learning_rate=0.1, max_depth=6, scale_pos_weight=0.5, n_jobs=1
    ).fit(columns, of.labels)
    np.testing.assert_allclose(
        trees.booster_.predict_proba(columns), alone.predict_proba(columns), atol=1e-7
    )


def test_the_order_of_training_patients_does_not_show(
    model: Callable[..., MiSvmXgboost],
) -> None:
    of, new = patients(24, seed=0, shift=1.5), patients(10, seed=1, shift=1.5)
    turned = of.take(np.arange(24)[::-1])
    ours = fitted(model(), of).predict_proba(new.bags, new.clinical)
    theirs = fitted(model(), turned).predict_proba(new.bags, new.clinical)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_one_patient_of_a_label_cannot_be_cross_fitted(
    model: Callable[..., MiSvmXgboost],
) -> None:
    of = patients(10, seed=0)
    of = of.take(
        np.concatenate([np.flatnonzero(of.labels == 1), np.flatnonzero(of.labels == 0)[:1]])
    )
    with pytest.raises(ValueError, match="cross_fit: 5"):
        fitted(model(cross_fit=5), of)
    assert len(fitted(model(cross_fit=0), of).rates_) == 6
