"""The parts of the slack program, each against cvxopt or a slower way to the same result."""

from dataclasses import replace

import numpy as np
import pytest

from lymphokit.solvers.slack_program import (
    SlackProgram,
    follow_central_path,
    guess_active_set,
    in_few_coordinates,
    solve_active_set,
    starting_point,
)
from tests.bags.toys import cvxopt_separation


def example(penalty: float) -> tuple[SlackProgram, float]:
    """A program of 15 positives and 8 negative bags, and its optimum by cvxopt."""
    rng = np.random.default_rng(0)
    positives, cells = rng.normal(size=(15, 6)) + 0.7, rng.normal(size=(40, 6))
    offsets = np.arange(0, 41, 5)
    program = SlackProgram(
        rows=np.concatenate([positives, -cells]),
        signs=np.repeat([1.0, -1.0], [15, 40]),
        offsets=np.concatenate([np.arange(15), 15 + offsets]),
        penalty=penalty,
    )
    return program, cvxopt_separation(positives, cells, offsets, penalty).objective


def objective(program: SlackProgram, hyperplane: np.ndarray) -> float:
    short = 1.0 - program.with_signs @ hyperplane
    slacks = np.maximum(np.maximum.reduceat(short, program.offsets[:-1]), 0.0)
    return float(0.5 * hyperplane[:-1] @ hyperplane[:-1] + program.penalty * slacks.sum())


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_the_central_path_ends_at_the_optimum_from_either_start(penalty: float, wide: bool) -> None:
    program, optimum = example(penalty)
    end = follow_central_path(program, starting_point(program, wide=wide), 1e-10)
    assert end.error <= 1e-10
    assert objective(program, end.point.hyperplane) == pytest.approx(optimum, rel=1e-7)


def test_an_interior_point_stays_inside_all_bounds() -> None:
    program, _ = example(1.0)
    point = follow_central_path(program, starting_point(program, wide=False), 1e-10).point
    for bounded in (point.duals, point.slack_duals, point.excess, point.slacks):
        assert bounded.min() > 0.0


def test_a_rough_interior_point_is_enough_for_the_active_set() -> None:
    program, optimum = example(1.0)
    rough = follow_central_path(program, starting_point(program, wide=False), 1e-3)
    exact = solve_active_set(program, guess_active_set(program, rough.point))
    assert exact is not None
    hyperplane = np.append(exact.duals @ program.rows, exact.bias)
    assert abs(objective(program, rough.point.hyperplane) / optimum - 1.0) > 1e-6
    assert objective(program, hyperplane) == pytest.approx(optimum, rel=1e-9)


def test_a_wrong_active_set_is_corrected_or_refused_but_never_returned() -> None:
    program, optimum = example(1.0)
    start = guess_active_set(program, starting_point(program, wide=False))
    wrong = replace(
        start,
        active=np.zeros_like(start.active),
        positive_slack=np.zeros_like(start.positive_slack),
    )
    found = solve_active_set(program, wrong)
    assert found is None or objective(
        program, np.append(found.duals @ program.rows, found.bias)
    ) == pytest.approx(optimum, rel=1e-7)


@pytest.mark.parametrize("repeats", [1, 3])
def test_fewer_coordinates_keep_every_inner_product(repeats: int) -> None:
    rows = np.repeat(np.random.default_rng(0).normal(size=(6, 50)), repeats, axis=0)
    few = in_few_coordinates(rows)
    assert few.shape == (6 * repeats, 6)
    np.testing.assert_allclose(few @ few.T, rows @ rows.T, atol=1e-10)


def test_rows_with_few_features_stay_as_they_are() -> None:
    rows = np.ones((6, 2))
    assert in_few_coordinates(rows) is rows


def test_any_dual_variables_become_feasible() -> None:
    offsets = np.array([0, 1, 2, 5, 7])
    signs = np.array([1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0])
    program = SlackProgram(np.zeros((7, 2)), signs, offsets, penalty=0.5)
    rng = np.random.default_rng(0)
    for _ in range(50):
        kept = program.feasible(rng.normal(size=7))
        assert kept.min() >= 0.0
        assert program.by_group(kept).max() <= 0.5 + 1e-15
        assert kept @ signs == pytest.approx(0.0, abs=1e-15)


def test_feasible_dual_variables_stay_as_they_are() -> None:
    program = SlackProgram(
        np.zeros((3, 1)), np.array([1.0, -1.0, -1.0]), np.array([0, 1, 3]), penalty=1.0
    )
    np.testing.assert_allclose(program.feasible(np.array([0.6, 0.4, 0.2])), [0.6, 0.4, 0.2])
