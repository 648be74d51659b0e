"""Every aggregation by hand: what it makes of a bag, and how much of it each cell is."""

import numpy as np
import pytest
import torch

from lymphokit.deep_mil.attention import (
    AGGREGATIONS,
    Attention,
    Batch,
    DualStream,
    Max,
    MeanStd,
    attention_pool,
)


def generators(members: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(members)]


def batch(cells: list[list[float]], sizes: tuple[int, ...], members: int = 1) -> Batch:
    return Batch(torch.tensor(cells), sizes, torch.zeros(len(sizes), 2), members)


def by_hand(gated: bool) -> tuple[Attention, np.ndarray, np.ndarray]:
    """Attention with chosen weights, two cells, and their logits from the formula."""
    attention = Attention(features=1, attention_width=2, generators=generators(1), gated=gated)
    with torch.no_grad():
        attention.V.copy_(torch.tensor([[[1.0], [-2.0]]]))
        attention.w.copy_(torch.tensor([[3.0, 0.5]]))
        if attention.U is not None:
            attention.U.copy_(torch.tensor([[[0.7], [4.0]]]))
    cells = np.array([0.4, -1.1])
    gates = [1 / (1 + np.exp(-u * cells)) if gated else 1.0 for u in (0.7, 4.0)]
    return attention, cells, 3 * np.tanh(cells) * gates[0] + 0.5 * np.tanh(-2 * cells) * gates[1]


def test_pooling_is_the_weighted_sum_of_each_bag_for_each_network() -> None:
    bags = batch([[1.0, 10.0], [3.0, 30.0], [5.0, 50.0]], (2, 1), members=2)
    weights = torch.tensor([[0.25, 1.0], [0.75, 0.0], [1.0, 1.0]])
    # Network 0 takes a quarter of the first cell, network 1 all of it.
    expected = [[[2.5, 25.0], [5.0, 50.0]], [[1.0, 10.0], [5.0, 50.0]]]
    assert attention_pool(weights, bags).tolist() == expected


@pytest.mark.parametrize("gated", [False, True])
def test_attention_is_the_softmax_of_the_papers_logits(gated: bool) -> None:
    attention, cells, logits = by_hand(gated)
    bag = batch([[float(cell)] for cell in cells], (2,))
    shares = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(attention.shares(bag).detach()[:, 0], shares, rtol=1e-5)
    assert attention([bag]).item() == pytest.approx(shares @ cells, rel=1e-5)


def test_a_closed_gate_shuts_a_unit_of_attention() -> None:
    attention, _, _ = by_hand(gated=True)
    assert attention.U is not None
    with torch.no_grad():
        attention.U.fill_(-100.0)
    # Behind closed gates all cells count alike, however much their features differ.
    shares = attention.shares(batch([[1.0], [40.0]], (2,)))
    np.testing.assert_allclose(shares.detach()[:, 0], 0.5, atol=1e-6)


def test_the_maximum_is_of_each_feature_and_the_cell_that_wins_it_has_its_share() -> None:
    bags = batch([[1.0, 5.0, 0.0], [2.0, 4.0, 0.0], [-3.0, -1.0, -2.0]], (2, 1), members=2)
    pooled = Max(3)([bags])
    assert pooled.tolist() == [[[2.0, 5.0, 0.0], [-3.0, -1.0, -2.0]]] * 2
    # One feature each and a tie in the third.
    np.testing.assert_allclose(Max(3).shares(bags), [[0.5, 0.5], [0.5, 0.5], [1.0, 1.0]])


def test_mean_and_deviation_stand_side_by_side_and_all_cells_count_alike() -> None:
    cells = [[1.0, 7.0], [3.0, 7.0], [4.0, -2.0]]
    bags = batch(cells, (2, 1), members=2)
    pooled = MeanStd(2)([bags])
    expected = [[2.0, 7.0, np.std([1.0, 3.0]), 0.0], [4.0, -2.0, 0.0, 0.0]]
    np.testing.assert_allclose(pooled, [expected] * 2)
    np.testing.assert_allclose(MeanStd(2).shares(bags), [[0.5, 0.5], [0.5, 0.5], [1.0, 1.0]])


@pytest.mark.parametrize("name", list(AGGREGATIONS))
def test_an_aggregation_is_as_wide_as_it_says_for_all_groups(name: str) -> None:
    aggregation = AGGREGATIONS[name](2, 3, generators(5))
    groups = [
        batch([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], (1, 2), members=3),
        batch([[1.0, 2.0], [3.0, 4.0]], (1, 1), members=2),
    ]
    assert aggregation(groups).shape == (5, 2, aggregation.width)


def test_dual_streams_by_hand() -> None:
    own = torch.Generator().manual_seed(3)
    streams = DualStream(4, 2, [torch.Generator().manual_seed(5)])
    cells = torch.randn(5, 4, generator=own)
    pooled = streams([Batch(cells, (2, 3), torch.zeros(2, 2), 1)])[0]
    for bag, rows in enumerate((cells[:2], cells[2:])):
        scores = rows @ streams.c[0]
        queries = rows @ streams.Q[0].T
        weights = (queries @ queries[scores.argmax()] / 2**0.5).softmax(dim=0)
        expected = torch.cat([scores.max()[None], weights @ rows])
        torch.testing.assert_close(pooled[bag], expected)


def test_the_scorer_of_dual_streams_learns_from_the_critical_cell() -> None:
    streams = DualStream(3, 2, [torch.Generator().manual_seed(0)])
    cells = torch.eye(3)
    streams([Batch(cells, (3,), torch.zeros(1, 2), 1)])[..., 0].sum().backward()
    critical = streams.c[0].argmax()
    expected = torch.nn.functional.one_hot(critical, 3).float()
    torch.testing.assert_close(streams.c.grad[0], expected)  # type: ignore[index]
