"""The exact separation: against cvxopt, by hand, and by its own proof."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lymphokit.solvers.max_margin import MaxMargin, Separation
from tests.bags.toys import Floats, cvxopt_separation


class Problem(NamedTuple):
    positives: Floats
    cells: Floats
    offsets: NDArray[np.int64]


def problem(
    *, seed: int, features: int = 10, positives: int = 20, bags: int = 12, apart: float = 1.0
) -> Problem:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 25, size=bags))])
    own = rng.normal(size=(positives, features))
    own[:, 0] += apart
    return Problem(own, rng.normal(size=(offsets[-1], features)), offsets)


def cost(plane: Separation, of: Problem, penalty: float) -> float:
    """What a plane costs, written out bag by bag."""
    hinges = [max(0.0, 1.0 - (cell @ plane.weights + plane.bias)) for cell in of.positives]
    for first, end in zip(of.offsets[:-1], of.offsets[1:], strict=True):
        scores = of.cells[first:end] @ plane.weights + plane.bias
        hinges.append(max(0.0, 1.0 + scores.max()))
    return 0.5 * float(plane.weights @ plane.weights) + penalty * sum(hinges)


def assert_proven(plane: Separation, of: Problem, penalty: float, gap: float = 1e-9) -> None:
    """The multipliers are feasible, give the bound, and the bound meets the plane's cost."""
    bags = np.repeat(np.arange(len(of.offsets) - 1), np.diff(of.offsets))
    spent = np.bincount(bags, plane.of_negatives)
    assert min(plane.of_positives.min(), plane.of_negatives.min()) >= 0.0
    assert max(plane.of_positives.max(), spent.max()) <= penalty * (1.0 + 1e-12)
    np.testing.assert_allclose(plane.of_positives.sum(), spent.sum(), rtol=1e-12)
    w = plane.of_positives @ of.positives - plane.of_negatives @ of.cells
    bound = 2.0 * plane.of_positives.sum() - 0.5 * w @ w
    assert plane.bound == pytest.approx(bound, rel=1e-9, abs=1e-300)
    assert plane.objective == pytest.approx(cost(plane, of, penalty), rel=1e-12)
    assert -1e-12 <= plane.gap <= gap


@pytest.mark.parametrize("penalty", [1e-4, 0.02, 1.0, 1e4])
@pytest.mark.parametrize("apart", [2.0, 4.0, 8.0])
def test_objective_and_multipliers_are_those_of_a_solver_that_sees_every_cell(
    penalty: float, apart: float
) -> None:
    of = problem(seed=1, features=30, apart=apart)
    ours, theirs = MaxMargin(of.cells, of.offsets, penalty), cvxopt_separation(*of, penalty)
    plane = ours.separate(of.positives)
    assert_proven(plane, of, penalty)
    assert plane.objective <= theirs.objective * (1.0 + 1e-9)
    assert plane.objective == pytest.approx(theirs.objective, rel=1e-6)
    close = 1e-2 * np.abs([theirs.weights.max(), theirs.of_positives.max()])
    np.testing.assert_allclose(plane.weights, theirs.weights, atol=close[0])
    np.testing.assert_allclose(plane.of_positives, theirs.of_positives, atol=close[1])
    np.testing.assert_allclose(plane.of_negatives, theirs.of_negatives, atol=close[1])


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_more_features_than_cells_changes_nothing(penalty: float) -> None:
    of = problem(seed=2, features=300, positives=6, bags=4)
    plane = MaxMargin(of.cells, of.offsets, penalty).separate(of.positives)
    assert_proven(plane, of, penalty)
    assert plane.objective == pytest.approx(cvxopt_separation(*of, penalty).objective, rel=1e-6)


def test_two_cells_are_parted_halfway() -> None:
    plane = MaxMargin(np.array([[-1.0]]), np.array([0, 1]), 10.0).separate(np.array([[3.0]]))
    assert plane.weights == pytest.approx([0.5])  # margins of 1 at -1 and at 3
    assert plane.bias == pytest.approx(-0.5)
    assert plane.objective == pytest.approx(0.125)
    assert plane.of_positives == pytest.approx([0.125])


def test_a_cheap_slack_is_bought_and_the_bias_lies_in_the_middle_of_those_that_are_as_good() -> (
    None
):
    plane = MaxMargin(np.array([[-1.0]]), np.array([0, 1]), 0.1).separate(np.array([[1.0]]))
    assert plane.weights == pytest.approx([0.2])  # both multipliers at the penalty
    assert plane.bias == pytest.approx(0.0, abs=1e-12)  # any within 0.8 of 0 costs the same
    assert plane.objective == pytest.approx(0.5 * 0.04 + 0.1 * 2 * 0.8)


def test_a_negative_bag_pays_for_its_highest_cell_alone() -> None:
    cells, positives = np.array([[0.0], [0.5], [-9.0]]), np.array([[1.0], [1.2]])
    of = Problem(positives, cells, np.array([0, 3]))
    bag = MaxMargin(cells, of.offsets, 1.0).separate(positives)
    highest = MaxMargin(cells[1:2], np.array([0, 1]), 1.0).separate(positives)
    assert bag.objective == pytest.approx(highest.objective, rel=1e-12)
    assert bag.of_negatives[[0, 2]] == pytest.approx([0.0, 0.0])


def test_positives_among_the_negatives_leave_no_plane_at_all() -> None:
    cells = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    plane = MaxMargin(cells, np.array([0, 4]), 3.0).separate(np.zeros((2, 2)))
    assert not plane.weights.any()
    assert plane.bias == 1.0  # two positives against one bag
    assert plane.objective == pytest.approx(3.0 * 2.0)
    assert plane.gap < 1e-9


def test_repeated_cells_cost_what_one_of_them_costs() -> None:
    of = problem(seed=3)
    twice = Problem(of.positives, np.repeat(of.cells, 2, axis=0), 2 * of.offsets)
    plane = MaxMargin(twice.cells, twice.offsets, 1.0).separate(twice.positives)
    once = MaxMargin(of.cells, of.offsets, 1.0).separate(of.positives)
    assert_proven(plane, twice, 1.0)
    np.testing.assert_allclose(plane.weights, once.weights, atol=1e-9)


@pytest.mark.parametrize("penalty", [1e-12, 1e-6, 1e6])
def test_a_tiny_or_a_huge_penalty_keeps_its_proof(penalty: float) -> None:
    for apart in (0.5, 8.0):
        of = problem(seed=4, apart=apart)
        plane = MaxMargin(of.cells, of.offsets, penalty).separate(of.positives)
        assert_proven(plane, of, penalty)


@given(data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_cells_on_a_grid_with_every_kind_of_tie_are_solved_to_the_end(data: st.DataObject) -> None:
    features = data.draw(st.integers(1, 4))
    grid = st.lists(st.integers(-2, 2), min_size=features, max_size=features)
    bags = data.draw(st.lists(st.lists(grid, min_size=1, max_size=5), min_size=1, max_size=5))
    positives = np.array(data.draw(st.lists(grid, min_size=1, max_size=6)), dtype=float)
    penalty = 10.0 ** data.draw(st.integers(-3, 3))
    cells = np.array([cell for bag in bags for cell in bag], dtype=float)
    of = Problem(positives, cells, np.cumsum([0, *map(len, bags)]))
    assert_proven(MaxMargin(cells, of.offsets, penalty).separate(positives), of, penalty, 1e-7)


def test_a_warm_separation_is_the_cold_one() -> None:
    first, then = problem(seed=5), problem(seed=6)
    warm = MaxMargin(first.cells, first.offsets, 0.3)
    warm.separate(first.positives)
    again = warm.separate(then.positives)
    cold = MaxMargin(first.cells, first.offsets, 0.3).separate(then.positives)
    np.testing.assert_allclose(again.weights, cold.weights, atol=1e-10)
    assert again.bias == pytest.approx(cold.bias, abs=1e-10)


def test_most_cells_never_join_the_working_set() -> None:
    rng = np.random.default_rng(7)
    cells, offsets = rng.normal(size=(4000, 20)), np.arange(0, 4001, 100)
    positives = rng.normal(size=(60, 20)) + np.eye(20)[0] * 3.0
    plane = MaxMargin(cells, offsets, 0.02).separate(positives)
    assert plane.gap < 1e-9
    assert plane.working < len(cells) / 4


@pytest.mark.parametrize("features", [1, 5])
def test_cells_without_any_feature_to_tell_them_apart_leave_no_plane(features: int) -> None:
    for positives, ends in [(1, [0, 2]), (3, [0, 1, 2])]:
        of = Problem(np.zeros((positives, features)), np.zeros((2, features)), np.array(ends))
        plane = MaxMargin(of.cells, of.offsets, 1.0).separate(of.positives)
        assert not plane.weights.any()
        assert plane.objective == pytest.approx(2.0 * min(positives, len(ends) - 1))
        assert_proven(plane, of, 1.0)


def test_a_cell_that_is_not_a_number_is_refused() -> None:
    of = problem(seed=8)
    with pytest.raises(ValueError, match="finite"):
        MaxMargin(np.full_like(of.cells, np.nan), of.offsets, 1.0)
    with pytest.raises(ValueError, match="finite"):
        MaxMargin(of.cells, of.offsets, 1.0).separate(np.full_like(of.positives, np.inf))


def test_a_penalty_that_is_not_positive_is_refused() -> None:
    of = problem(seed=9)
    with pytest.raises(ValueError, match="penalty"):
        MaxMargin(of.cells, of.offsets, 0.0)
