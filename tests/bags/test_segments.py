"""Every reduction over bags against a loop over bags."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lymphokit.bags import segments

Packed = tuple[NDArray[np.float64], NDArray[np.int64]]


@st.composite
def packed(draw: st.DrawFn, columns: int = 3) -> Packed:
    """Cells (n_cells, columns) of one to six bags of one to seven cells, and their offsets."""
    sizes = draw(st.lists(st.integers(1, 7), min_size=1, max_size=6))
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    # Rounded, so that ties occur and a sum in another order stays within the tolerance.
    values = st.floats(-50, 50, width=32).map(lambda value: round(value, 1))
    return draw(arrays(np.float64, (int(offsets[-1]), columns), elements=values)), offsets


def bag_by_bag(
    reduce: Callable[[NDArray[np.float64]], NDArray[np.float64]], packed_cells: Packed
) -> NDArray[np.float64]:
    cells, offsets = packed_cells
    return np.stack([reduce(cells[a:b]) for a, b in pairwise(offsets)])


@given(packed())
@settings(max_examples=25, deadline=None)
def test_sum_mean_deviation_and_maximum_are_those_of_each_bag(cells: Packed) -> None:
    for packed_way, loop in (
        (segments.segment_sum, lambda bag: bag.sum(axis=0)),
        (segments.segment_mean, lambda bag: bag.mean(axis=0)),
        (segments.segment_std, lambda bag: bag.std(axis=0)),
        (segments.segment_max, lambda bag: bag.max(axis=0)),
    ):
        np.testing.assert_allclose(packed_way(*cells), bag_by_bag(loop, cells), atol=1e-10)


@given(packed(columns=1))
@settings(max_examples=25, deadline=None)
def test_the_best_cell_of_a_bag_is_the_first_of_its_highest(cells: Packed) -> None:
    scores, offsets = cells[0][:, 0], cells[1]
    expected = [a + scores[a:b].argmax() for a, b in pairwise(offsets)]
    assert segments.segment_argmax(scores, offsets).tolist() == expected


def test_every_cell_knows_its_bag() -> None:
    assert segments.bag_of(np.array([0, 2, 3, 6])).tolist() == [0, 0, 1, 2, 2, 2]


@given(packed())
@settings(max_examples=25, deadline=None)
def test_tensor_sum_is_that_of_each_bag(cells: Packed) -> None:
    values, index = torch.from_numpy(cells[0]), torch.from_numpy(segments.bag_of(cells[1]))
    n_bags = len(cells[1]) - 1
    total = segments.tensor_segment_sum(values, index, n_bags)
    np.testing.assert_allclose(total, bag_by_bag(lambda bag: bag.sum(axis=0), cells), atol=1e-10)


@given(packed())
@settings(max_examples=25, deadline=None)
def test_tensor_mean_deviation_and_maximum_are_those_of_each_bag(cells: Packed) -> None:
    values, index = torch.from_numpy(cells[0]), torch.from_numpy(segments.bag_of(cells[1]))
    for packed_way, loop in (
        (segments.tensor_segment_mean, lambda bag: bag.mean(axis=0)),
        (segments.tensor_segment_std, lambda bag: bag.std(axis=0)),
        (segments.tensor_segment_max, lambda bag: bag.max(axis=0)),
    ):
        ours = packed_way(values, index, len(cells[1]) - 1)
        np.testing.assert_allclose(ours, bag_by_bag(loop, cells), atol=1e-10)


def test_a_row_holds_the_cells_of_its_bag_and_minus_infinity() -> None:
    values, index = torch.tensor([5.0, 6.0, 7.0]), torch.tensor([0, 0, 1])
    low = -np.inf
    rows = segments.tensor_segment_rows(values, index, 2)
    assert rows.tolist() == [[5.0, 6.0, low], [low, low, 7.0]]
    by_bag = torch.stack([values, -values])
    rows = segments.tensor_segment_rows(by_bag, index, 2)
    assert rows.tolist() == [[5.0, 6.0, low], [low, low, -7.0]]


@given(packed())
@settings(max_examples=25, deadline=None)
def test_softmax_and_weighted_sum_and_their_gradients_are_those_of_each_bag(cells: Packed) -> None:
    values, index = torch.from_numpy(cells[0]), torch.from_numpy(segments.bag_of(cells[1]))
    n_bags = len(cells[1]) - 1
    scores = torch.linspace(-3.0, 2.0, len(values), dtype=values.dtype).sin()

    def packed_way(scores: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        weights = segments.tensor_segment_softmax(scores, index, n_bags)
        return segments.tensor_segment_dot(weights, values, index, n_bags)

    def loop(scores: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        bags = [index == bag for bag in range(n_bags)]
        return torch.stack([scores[bag].softmax(dim=0) @ values[bag] for bag in bags])

    results = []
    for way in (packed_way, loop):
        inputs = scores.clone().requires_grad_(), values.clone().requires_grad_()
        means = way(*inputs)
        gradients = torch.autograd.grad((means * (1.0 + means)).sum(), inputs)
        results.append((means.detach(), *gradients))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_lone_cell_has_weight_one_and_does_not_learn() -> None:
    scores = torch.tensor([0.3, -2.0, 0.5, 0.1], dtype=torch.float64, requires_grad=True)
    weights = segments.tensor_segment_softmax(scores, torch.tensor([0, 1, 2, 2]), 3)
    assert weights[:2].tolist() == [1.0, 1.0]
    gradient = torch.autograd.grad((weights * torch.arange(1.0, 5.0)).sum(), scores)[0]
    assert gradient[:2].tolist() == [0.0, 0.0]
    assert gradient[2:].abs().min() > 0.1


@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_a_softmax_of_one_bag_far_from_the_others_does_not_overflow(shift: float) -> None:
    scores, index = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0, 0, 1])
    softmax = segments.tensor_segment_softmax(scores, index, 2)
    moved = scores + shift * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(segments.tensor_segment_softmax(moved, index, 2), softmax)
