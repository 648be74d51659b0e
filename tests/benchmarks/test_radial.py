"""MI-SVM with a radial kernel: against a kernel machine, and against the factor of all cells."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from lymphokit.bags.packed import Bags
from lymphokit.bags.segments import segment_argmax
from lymphokit.errors import NotFittedError
from lymphokit.solvers.max_margin import MaxMargin
from radial import RadialCoordinates, RadialMiSvm

GAMMA, C = 0.3, 5.0


def rings(n_bags: int, most: int, seed: int = 0) -> tuple[Bags, NDArray[np.int64]]:
    """Reactive cells around the origin; each tumoral bag also has cells far out, all around."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n_bags) % 2
    parts = []
    for label in labels:
        cells = rng.normal(size=(rng.integers(1, most + 1), 3))
        far = rng.random(len(cells)) < 0.3
        far[0] = True
        cells[far & (label == 1)] *= 3.0
        parts.append(cells)
    return Bags.pack(parts, [str(bag) for bag in range(n_bags)]), labels


def machine(first_cells: int) -> RadialMiSvm:
    return RadialMiSvm(gamma=GAMMA, C=C, max_iterations=50, first_cells=first_cells, seed=0)


def test_products_of_coordinates_are_the_kernel() -> None:
    cells = np.random.default_rng(1).normal(size=(60, 4))
    cells[30:] = cells[:30] + 1e-9  # near copies, of which one is enough
    coordinates = RadialCoordinates(GAMMA).fit(cells)
    seen = coordinates.transform(cells)
    assert len(coordinates.landmarks_) <= 30
    np.testing.assert_allclose(seen @ seen.T, rbf_kernel(cells, gamma=GAMMA), atol=1e-7)
    weights = np.asarray(np.random.default_rng(2).normal(size=seen.shape[1]))
    np.testing.assert_allclose(coordinates.products(cells, weights), seen @ weights, atol=1e-6)


def test_bags_of_one_cell_make_it_the_kernel_machine_of_sklearn() -> None:
    bags, labels = rings(80, most=1)
    new, _ = rings(40, most=1, seed=9)
    scaler = StandardScaler().fit(bags.instances)
    oracle = SVC(C=C, gamma=GAMMA, tol=1e-9).fit(scaler.transform(bags.instances), labels)
    expected = oracle.decision_function(scaler.transform(new.instances))
    ours = machine(first_cells=1).fit(bags, labels).decision_function(new)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_a_few_first_cells_lead_to_a_fixed_point_for_all_cells() -> None:
    bags, labels = rings(40, most=30)
    fitted = machine(first_cells=1).fit(bags, labels)
    cells = fitted.projection_.transform(bags.instances).astype(np.float64)
    everywhere = bags.with_instances(RadialCoordinates(GAMMA).fit(cells).transform(cells))
    negatives = everywhere.take(np.flatnonzero(labels == 0))
    margin = MaxMargin(negatives.instances, negatives.offsets, C)
    hyperplane = margin.separate(everywhere.instances[fitted.witnesses_])
    highest = segment_argmax(everywhere.instances @ hyperplane.weights, bags.offsets)[labels == 1]
    assert len(fitted.known_) < len(cells)
    assert fitted.objective_ == pytest.approx(hyperplane.objective, rel=1e-5)
    np.testing.assert_array_equal(fitted.witnesses_, highest)


def test_it_predicts_only_after_fit() -> None:
    with pytest.raises(NotFittedError, match="fit RadialMiSvm"):
        machine(first_cells=1).decision_function(rings(4, most=2)[0])
