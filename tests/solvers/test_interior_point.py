"""The interior point alone, without the exact end that usually follows it."""

import numpy as np
import pytest

from lymphokit.solvers.active_set import finish, guess
from lymphokit.solvers.interior_point import centre, descend
from lymphokit.solvers.slack_program import SlackProgram
from tests.bags.toys import cvxopt_separation


def program(penalty: float) -> tuple[SlackProgram, float]:
    """A programme of 15 positives and 8 negative bags, and its optimum by cvxopt."""
    rng = np.random.default_rng(0)
    positives, cells = rng.normal(size=(15, 6)) + 0.7, rng.normal(size=(40, 6))
    offsets = np.arange(0, 41, 5)
    own = SlackProgram(
        rows=np.concatenate([positives, -cells]),
        signs=np.repeat([1.0, -1.0], [15, 40]),
        offsets=np.concatenate([np.arange(15), 15 + offsets]),
        penalty=penalty,
    )
    return own, cvxopt_separation(positives, cells, offsets, penalty).objective


def objective(of: SlackProgram, plane: np.ndarray) -> float:
    margins = of.rows @ plane[:-1] + of.signs * plane[-1]
    slacks = np.maximum(of.highest(1.0 - margins), 0.0)
    return float(0.5 * plane[:-1] @ plane[:-1] + of.penalty * slacks.sum())


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_it_descends_to_the_optimum_from_either_centre(penalty: float, wide: bool) -> None:
    of, optimum = program(penalty)
    end = descend(of, centre(of, wide=wide), 1e-10)
    assert end.error <= 1e-10
    assert objective(of, end.point.plane) == pytest.approx(optimum, rel=1e-7)


def test_all_that_is_bounded_stays_inside() -> None:
    of, _ = program(1.0)
    point = descend(of, centre(of, wide=False), 1e-10).point
    for bounded in (point.multipliers, point.spare, point.surplus, point.slacks):
        assert bounded.min() > 0.0


def test_a_rough_point_is_enough_for_an_exact_end() -> None:
    of, optimum = program(1.0)
    rough = descend(of, centre(of, wide=False), 1e-3)
    exact = finish(of, guess(of, rough.point))
    assert exact is not None
    plane = np.append(exact.multipliers @ of.rows, exact.bias)
    assert abs(objective(of, rough.point.plane) / optimum - 1.0) > 1e-6
    assert objective(of, plane) == pytest.approx(optimum, rel=1e-9)


def test_a_mistaken_guess_is_mended_or_given_up_but_never_believed() -> None:
    of, _ = program(1.0)
    start = guess(of, centre(of, wide=False))
    nothing = np.zeros_like(start.open)
    mistaken = type(start)(
        start.multipliers, start.bias, start.slacks, np.zeros_like(start.active), nothing
    )
    ended = finish(of, mistaken)
    assert ended is None or objective(
        of, np.append(ended.multipliers @ of.rows, ended.bias)
    ) == pytest.approx(program(1.0)[1], rel=1e-7)
