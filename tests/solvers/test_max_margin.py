"""The exact separation against cvxopt, values by hand, and its proof; and the best bias."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lymphokit.solvers.max_margin import MaxMargin, Separation, best_bias
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
    cells = rng.normal(size=(positives, features))
    cells[:, 0] += apart
    return Problem(cells, rng.normal(size=(offsets[-1], features)), offsets)


def cost(found: Separation, data: Problem, penalty: float) -> float:
    """The objective of a hyperplane, written out bag by bag."""
    hinges = [max(0.0, 1.0 - (cell @ found.weights + found.bias)) for cell in data.positives]
    for first, end in zip(data.offsets[:-1], data.offsets[1:], strict=True):
        scores = data.cells[first:end] @ found.weights + found.bias
        hinges.append(max(0.0, 1.0 + scores.max()))
    return 0.5 * float(found.weights @ found.weights) + penalty * sum(hinges)


def assert_proven(found: Separation, data: Problem, penalty: float, gap: float = 1e-9) -> None:
    """The dual variables are feasible, give the bound, and the bound meets the objective."""
    bags = np.repeat(np.arange(len(data.offsets) - 1), np.diff(data.offsets))
    sums = np.bincount(bags, found.negative_duals)
    assert min(found.positive_duals.min(), found.negative_duals.min()) >= 0.0
    assert max(found.positive_duals.max(), sums.max()) <= penalty * (1.0 + 1e-12)
    np.testing.assert_allclose(found.positive_duals.sum(), sums.sum(), rtol=1e-12)
    w = found.positive_duals @ data.positives - found.negative_duals @ data.cells
    bound = 2.0 * found.positive_duals.sum() - 0.5 * w @ w
    assert found.bound == pytest.approx(bound, rel=1e-9, abs=1e-300)
    assert found.objective == pytest.approx(cost(found, data, penalty), rel=1e-12)
    assert -1e-12 <= found.gap <= gap


@pytest.mark.parametrize("penalty", [1e-4, 0.02, 1.0, 1e4])
@pytest.mark.parametrize("apart", [2.0, 4.0, 8.0])
def test_objective_and_dual_variables_are_those_of_a_solver_that_has_every_cell(
    penalty: float, apart: float
) -> None:
    data = problem(seed=1, features=30, apart=apart)
    ours, theirs = MaxMargin(data.cells, data.offsets, penalty), cvxopt_separation(*data, penalty)
    found = ours.separate(data.positives)
    assert_proven(found, data, penalty)
    assert found.objective <= theirs.objective * (1.0 + 1e-9)
    assert found.objective == pytest.approx(theirs.objective, rel=1e-6)
    close = 1e-2 * np.abs([theirs.weights.max(), theirs.positive_duals.max()])
    np.testing.assert_allclose(found.weights, theirs.weights, atol=close[0])
    np.testing.assert_allclose(found.positive_duals, theirs.positive_duals, atol=close[1])
    np.testing.assert_allclose(found.negative_duals, theirs.negative_duals, atol=close[1])


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_more_features_than_cells_changes_nothing(penalty: float) -> None:
    data = problem(seed=2, features=300, positives=6, bags=4)
    found = MaxMargin(data.cells, data.offsets, penalty).separate(data.positives)
    assert_proven(found, data, penalty)
    assert found.objective == pytest.approx(cvxopt_separation(*data, penalty).objective, rel=1e-6)


def test_two_cells_are_separated_halfway() -> None:
    found = MaxMargin(np.array([[-1.0]]), np.array([0, 1]), 10.0).separate(np.array([[3.0]]))
    assert found.weights == pytest.approx([0.5])  # margins of 1 at -1 and at 3
    assert found.bias == pytest.approx(-0.5)
    assert found.objective == pytest.approx(0.125)
    assert found.positive_duals == pytest.approx([0.125])


def test_slack_is_used_where_it_is_cheap_and_the_bias_is_the_middle_of_the_optimal_ones() -> None:
    found = MaxMargin(np.array([[-1.0]]), np.array([0, 1]), 0.1).separate(np.array([[1.0]]))
    assert found.weights == pytest.approx([0.2])  # both dual variables at the penalty
    assert found.bias == pytest.approx(0.0, abs=1e-12)  # any within 0.8 of 0 costs the same
    assert found.objective == pytest.approx(0.5 * 0.04 + 0.1 * 2 * 0.8)


def test_a_negative_bag_pays_for_its_highest_cell_alone() -> None:
    cells, positives = np.array([[0.0], [0.5], [-9.0]]), np.array([[1.0], [1.2]])
    data = Problem(positives, cells, np.array([0, 3]))
    bag = MaxMargin(cells, data.offsets, 1.0).separate(positives)
    highest = MaxMargin(cells[1:2], np.array([0, 1]), 1.0).separate(positives)
    assert bag.objective == pytest.approx(highest.objective, rel=1e-12)
    assert bag.negative_duals[[0, 2]] == pytest.approx([0.0, 0.0])


def test_positives_among_the_negatives_leave_no_hyperplane() -> None:
    cells = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    found = MaxMargin(cells, np.array([0, 4]), 3.0).separate(np.zeros((2, 2)))
    assert not found.weights.any()
    assert found.bias == 1.0  # two positives against one bag
    assert found.objective == pytest.approx(3.0 * 2.0)
    assert found.gap < 1e-9


def test_repeated_cells_cost_what_one_of_them_costs() -> None:
    data = problem(seed=3)
    twice = Problem(data.positives, np.repeat(data.cells, 2, axis=0), 2 * data.offsets)
    found = MaxMargin(twice.cells, twice.offsets, 1.0).separate(twice.positives)
    once = MaxMargin(data.cells, data.offsets, 1.0).separate(data.positives)
    assert_proven(found, twice, 1.0)
    np.testing.assert_allclose(found.weights, once.weights, atol=1e-9)


@pytest.mark.parametrize("penalty", [1e-12, 1e-6, 1e6])
def test_a_tiny_or_a_huge_penalty_keeps_its_proof(penalty: float) -> None:
    for apart in (0.5, 8.0):
        data = problem(seed=4, apart=apart)
        found = MaxMargin(data.cells, data.offsets, penalty).separate(data.positives)
        assert_proven(found, data, penalty)


@given(draws=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_cells_on_a_grid_with_every_kind_of_tie_are_solved_to_the_end(draws: st.DataObject) -> None:
    features = draws.draw(st.integers(1, 4))
    grid = st.lists(st.integers(-2, 2), min_size=features, max_size=features)
    bags = draws.draw(st.lists(st.lists(grid, min_size=1, max_size=5), min_size=1, max_size=5))
    positives = np.array(draws.draw(st.lists(grid, min_size=1, max_size=6)), dtype=float)
    penalty = 10.0 ** draws.draw(st.integers(-3, 3))
    cells = np.array([cell for bag in bags for cell in bag], dtype=float)
    data = Problem(positives, cells, np.cumsum([0, *map(len, bags)]))
    assert_proven(MaxMargin(cells, data.offsets, penalty).separate(positives), data, penalty, 1e-7)


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
    found = MaxMargin(cells, offsets, 0.02).separate(positives)
    assert found.gap < 1e-9
    assert found.working < len(cells) / 4


@pytest.mark.parametrize("features", [1, 5])
def test_cells_that_are_all_equal_leave_no_hyperplane(features: int) -> None:
    for positives, ends in [(1, [0, 2]), (3, [0, 1, 2])]:
        data = Problem(np.zeros((positives, features)), np.zeros((2, features)), np.array(ends))
        found = MaxMargin(data.cells, data.offsets, 1.0).separate(data.positives)
        assert not found.weights.any()
        assert found.objective == pytest.approx(2.0 * min(positives, len(ends) - 1))
        assert_proven(found, data, 1.0)


def test_a_cell_that_is_not_a_number_is_refused() -> None:
    data = problem(seed=8)
    with pytest.raises(ValueError, match="finite"):
        MaxMargin(np.full_like(data.cells, np.nan), data.offsets, 1.0)
    with pytest.raises(ValueError, match="finite"):
        MaxMargin(data.cells, data.offsets, 1.0).separate(np.full_like(data.positives, np.inf))


def test_a_penalty_that_is_not_positive_is_refused() -> None:
    data = problem(seed=9)
    with pytest.raises(ValueError, match="penalty"):
        MaxMargin(data.cells, data.offsets, 0.0)


def hinge_cost(bias: float, positives: np.ndarray, negatives: np.ndarray) -> float:
    on_positives = np.maximum(0.0, 1.0 - positives - bias).sum()
    return float(on_positives + np.maximum(0.0, 1.0 + negatives + bias).sum())


@pytest.mark.parametrize(("n_positives", "n_negatives"), [(1, 1), (5, 2), (2, 5), (7, 7)])
def test_no_other_bias_costs_less(n_positives: int, n_negatives: int) -> None:
    rng = np.random.default_rng(n_positives)
    positives, negatives = rng.normal(size=n_positives) * 3, rng.normal(size=n_negatives) * 3
    best = hinge_cost(best_bias(positives, negatives), positives, negatives)
    others = [hinge_cost(bias, positives, negatives) for bias in np.linspace(-15, 15, 3001)]
    assert best <= min(others) + 1e-12


def test_of_equally_good_biases_the_middle_is_taken() -> None:
    assert best_bias(np.array([5.0]), np.array([-3.0])) == -1.0  # any from -4 to 2 costs nothing
