"""Cells counted by type: shares by hand, and a type that tumoral patients alone have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lymphokit.bags.packed import Bags
from lymphokit.errors import NotFittedError
from lymphokit.models.cell_types import CellTypes
from tests.bags.toys import Patients, patients

Settings = Callable[..., Any]


def three_types(n: int, *, seed: int) -> tuple[Patients, np.ndarray]:
    """Patients with three types of cells far apart, the third in tumoral ones alone; and types."""
    rng = np.random.default_rng(seed)
    of = patients(n, seed=seed)
    centres = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    types = [rng.choice([0, 1, 2] if label else [0, 1], 12) for label in of.labels]
    cells = [centres[kinds] + rng.normal(0, 0.3, (12, 2)) for kinds in types]
    return Patients(Bags.pack(cells, of.bags.ids), of.labels, of.clinical), np.concatenate(types)


def fitted(settings: Settings, of: Patients, **changes: Any) -> CellTypes:
    model = CellTypes(settings("cell_types", **({"pca": 2, "types": 3} | changes)), seed=0)
    return model.fit(of.bags, of.labels, of.clinical)


def test_shares_are_counted(settings: Settings) -> None:
    of, types = three_types(30, seed=0)
    model = fitted(settings, of)
    weights = model.weights(of.bags.instances)
    found = weights.argmax(axis=1)
    type_of = {kind: int(np.bincount(found[types == kind]).argmax()) for kind in range(3)}
    assert len(set(type_of.values())) == 3
    assert found.tolist() == [type_of[kind] for kind in types.tolist()]
    by_bag = [part.mean(axis=0) for part in np.split(weights, of.bags.offsets[1:-1])]
    np.testing.assert_allclose(model.shares(of.bags), by_bag)
    np.testing.assert_allclose(model.shares(of.bags).sum(axis=1), 1.0)


def test_a_cell_belongs_to_near_types_by_distance(settings: Settings) -> None:
    of, _ = three_types(30, seed=0)
    model = fitted(settings, of)
    one = of.bags.instances[:1]
    cell, means = model.projection_.transform(one)[0], model.means_.cluster_centers_
    raw = np.array([np.exp(-np.sum((cell - mean) ** 2) / 4) for mean in means])
    np.testing.assert_allclose(model.weights(one)[0], raw / raw.sum(), rtol=1e-4)


def test_the_type_that_tumoral_patients_alone_have_weighs_most(settings: Settings) -> None:
    of, types = three_types(40, seed=1)
    model = fitted(settings, of)
    scores = model.cell_scores(of.bags)
    assert scores[types == 2].min() > scores[types != 2].max()
    new, _ = three_types(40, seed=2)
    probabilities = model.predict_proba(new.bags, new.clinical)
    assert probabilities[new.labels == 1].min() > probabilities[new.labels == 0].max()


def test_a_type_of_a_single_patient_is_clipped(settings: Settings) -> None:
    of, _ = three_types(60, seed=1)
    cells = of.bags.instances.copy()
    cells[: of.bags.offsets[1]] += 60.0
    model = fitted(
        settings, Patients(of.bags.with_instances(cells), of.labels, of.clinical), types=4
    )
    descriptors = model.descriptors(of.bags.with_instances(cells))
    assert descriptors.max() == 6.0


def test_types_are_no_more_than_the_cells(settings: Settings) -> None:
    of = patients(6, seed=0)
    model = fitted(settings, of, types=500, pca=8)
    assert model.means_.n_clusters == len(of.bags.instances)
    assert np.isfinite(model.predict_proba(of.bags, of.clinical)).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
def test_cells_that_never_differ_are_one_type(settings: Settings) -> None:
    of = patients(12, seed=0)
    constant = of.bags.with_instances(np.ones_like(of.bags.instances))
    model = fitted(settings, Patients(constant, of.labels, of.clinical), types=8)
    assert model.means_.n_clusters == 1
    assert model.predict_proba(constant, of.clinical) == pytest.approx(np.full(12, 0.5))


def test_before_fit_nothing_is_predicted(settings: Settings) -> None:
    of = patients(4, seed=0)
    model = CellTypes(settings("cell_types"), seed=0)
    for predict in (
        lambda: model.predict_proba(of.bags, of.clinical),
        lambda: model.descriptors(of.bags),
        lambda: model.cell_scores(of.bags),
    ):
        with pytest.raises(NotFittedError):
            predict()
