"""The parts of the slack programme, each against a slower way to the same answer."""

import numpy as np
import pytest

from lymphokit.solvers.slack_program import SlackProgram, best_bias, in_few_coordinates


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


@pytest.mark.parametrize("repeats", [1, 3])
def test_fewer_coordinates_keep_every_inner_product(repeats: int) -> None:
    rows = np.repeat(np.random.default_rng(0).normal(size=(6, 50)), repeats, axis=0)
    few = in_few_coordinates(rows)
    assert few.shape == (6 * repeats, 6)
    np.testing.assert_allclose(few @ few.T, rows @ rows.T, atol=1e-10)


def test_rows_with_few_features_stay_as_they_are() -> None:
    rows = np.ones((6, 2))
    assert in_few_coordinates(rows) is rows


def test_any_multipliers_become_feasible_ones() -> None:
    offsets = np.array([0, 1, 2, 5, 7])
    signs = np.array([1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0])
    program = SlackProgram(np.zeros((7, 2)), signs, offsets, penalty=0.5)
    rng = np.random.default_rng(0)
    for _ in range(50):
        kept = program.feasible(rng.normal(size=7))
        assert kept.min() >= 0.0
        assert program.by_slack(kept).max() <= 0.5 + 1e-15
        assert kept @ signs == pytest.approx(0.0, abs=1e-15)


def test_feasible_multipliers_stay_as_they_are() -> None:
    program = SlackProgram(
        np.zeros((3, 1)), np.array([1.0, -1.0, -1.0]), np.array([0, 1, 3]), penalty=1.0
    )
    np.testing.assert_allclose(program.feasible(np.array([0.6, 0.4, 0.2])), [0.6, 0.4, 0.2])
