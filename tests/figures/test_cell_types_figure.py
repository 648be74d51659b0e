"""The types of cells that a model weighs most, on bags with a planted type."""

import numpy as np
import pytest

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.figures.cell_types_figure import (
    cell_types_figure,
    shown_types,
    type_shares,
    typical_cells,
)
from lymphokit.figures.style import LABELS
from lymphokit.models.cell_types import CellTypes, CellTypesSettings
from tests.figures.test_scores import text_of

N, SIZE, PLANTED, GROUPS = (
    24,
    28,
    3,
    8,
)  # patients, cells of each, planted cells of each tumoral patient; kinds of cells
SETTINGS = CellTypesSettings(kind="cell_types", enabled=True, features="x", pca=7, types=8, C=1.0)
PARTS = np.where(np.arange(N) < 16, "train", "validation")


@pytest.fixture(scope="module")
def planted():
    """Seven kinds of cells that everyone has, and one that only tumoral patients have."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    group = np.tile(np.arange(SIZE) % (GROUPS - 1), (N, 1))
    group[labels == 1, :PLANTED] = GROUPS - 1
    cells = 9 * np.eye(GROUPS)[group.ravel()] + 0.3 * rng.normal(size=(N * SIZE, GROUPS))
    bags = Bags(cells, np.arange(N + 1) * SIZE, tuple(f"P{i}" for i in range(N)))
    training = np.flatnonzero(PARTS == "train")
    clinical = Clinical(np.ones(16), np.ones(16))
    model = CellTypes(SETTINGS, seed=0).fit(bags.take(training), labels[training], clinical)
    return model, bags, labels, training, group.ravel()


def test_a_type_that_only_tumoral_patients_have_is_the_first_row(planted) -> None:
    model, bags, labels, training, group = planted
    types = shown_types(model, bags.take(training))
    cells = bags.cells_of(training)[types[0].cells]
    assert (group[cells] == GROUPS - 1).all()
    assert types[0].weight == model.regression_.weights_.max() > 0
    shares, patients = type_shares(model, bags, labels, PARTS)
    of_first = shares[types[0].number]
    for part in ("train", "validation"):
        assert of_first[part, 1] == pytest.approx(PLANTED / SIZE, abs=0.05)
        assert of_first[part, 0] == pytest.approx(0, abs=0.05)
    assert patients.to_dict() == {
        ("train", 0): 8, ("train", 1): 8, ("validation", 0): 4, ("validation", 1): 4
    }  # fmt: skip


def test_types_for_tumoral_come_before_those_for_reactive_by_falling_weight(planted) -> None:
    model, bags, _, training, _ = planted
    types = shown_types(model, bags.take(training), each=2)
    weights = [shown.weight for shown in types]
    for_tumoral = [weight for weight in weights if weight >= 0]
    for_reactive = weights[len(for_tumoral) :]
    assert for_tumoral == sorted(for_tumoral, reverse=True)
    assert for_reactive == sorted(for_reactive)
    assert max(len(for_tumoral), len(for_reactive)) <= 2
    assert all(weight < 0 for weight in for_reactive)


def test_cells_come_from_different_patients_where_possible() -> None:
    bag_of = np.array([0, 0, 0, 1, 1, 2])
    belongs = np.array([0.9, 0.99, 0.97, 0.6, 0.8, 0.3])
    weights = np.column_stack([belongs, 1 - belongs])
    # The best of patients 0 and 1, then their second best, then the third; patient 2 has none.
    assert typical_cells(weights, 0, bag_of).tolist() == [1, 4, 2, 3, 0]
    assert typical_cells(weights, 0, bag_of, most=2).tolist() == [1, 4]
    assert typical_cells(weights, 1, bag_of).tolist() == [5]


def test_the_figure_has_a_row_a_type_with_its_cells_and_a_bar_for_each_part_and_label(
    planted,
) -> None:
    model, bags, labels, training, _ = planted
    types = shown_types(model, bags.take(training))
    images = [
        [np.full((8, 8, 3), 9 * row, np.uint8) for _ in t.cells] for row, t in enumerate(types)
    ]
    shares, patients = type_shares(model, bags, labels, PARTS)
    weights = model.regression_.weights_
    figure = cell_types_figure(types, images, shares, patients, weights, model="mine", fold=1)
    rows, sides = figure.axes[: len(types)], figure.axes[len(types) :]
    for row, side, shown in zip(rows, sides, types, strict=True):
        assert len(row.images) == len(shown.cells)
        bars = {bar.get_facecolor()[:3]: [] for bar in side.patches}
        for bar in side.patches:
            bars[bar.get_facecolor()[:3]].append(bar.get_width())
        assert len(bars) == len(LABELS) - 1
        widths = sorted(width for each in bars.values() for width in each)
        np.testing.assert_allclose(widths, sorted(100 * shares[shown.number]))
    text = text_of(figure)
    for part in ("mine", "fold 1", "n = 8 training, 4 held out", "of all 8"):
        assert part in text


def test_a_model_without_any_weight_still_has_a_figure(planted) -> None:
    _, bags, labels, *_ = planted
    alike = bags.with_instances(np.tile(bags.instances[:SIZE], (N, 1)))
    model = CellTypes(SETTINGS, seed=0).fit(alike, labels, Clinical(np.ones(N), np.ones(N)))
    types = shown_types(model, alike)
    assert types
    shares, patients = type_shares(model, alike, labels, PARTS)
    images = [[np.zeros((8, 8, 3), np.uint8)] * len(shown.cells) for shown in types]
    weights = model.regression_.weights_
    cell_types_figure(types, images, shares, patients, weights, model="mine", fold=1)
