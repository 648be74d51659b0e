"""The network by hand: every aggregation, the MLPs, and the fusion with clinical attributes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lymphokit.deep_mil.attention_mil import (
    Attention,
    AttentionMil,
    DualStream,
    Max,
    MeanStd,
    Mlp,
    mixture,
)

AGGREGATIONS = ["attention", "gated_attention", "dual_stream", "max", "mean_std"]
Batch = tuple[Tensor, Tensor, Tensor]


def build(n_features: int = 5, seed: int = 0, **changes: Any) -> AttentionMil:
    settings: dict[str, Any] = {
        "aggregation": "attention",
        "attention_width": 4,
        "hidden": [6, 7],
        "clinical_hidden": [3],
        "fusion": "joined",
        "normalisation": "layer",
        "dropout": 0.0,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AttentionMil(n_features, **(settings | changes))


def index(sizes: tuple[int, ...]) -> Tensor:
    return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))


def batch(sizes: tuple[int, ...] = (3, 1, 4), n_features: int = 5) -> Batch:
    """Random cells of bags of these sizes, the bag of each, clinical attributes."""
    generator = torch.Generator().manual_seed(1)
    cells = torch.randn(sum(sizes), n_features, generator=generator)
    return cells, index(sizes), torch.randn(len(sizes), 2, generator=generator)


def attention_by_hand(gated: bool) -> tuple[Attention, np.ndarray, np.ndarray]:
    """Attention with chosen weights, two cells, and their logits from the formula."""
    attention = Attention(n_features=1, attention_width=2, gated=gated)
    with torch.no_grad():
        attention.V.weight.copy_(torch.tensor([[1.0], [-2.0]]))
        attention.w.weight.copy_(torch.tensor([[3.0, 0.5]]))
        if attention.U is not None:
            attention.U.weight.copy_(torch.tensor([[0.7], [4.0]]))
    cells = np.array([0.4, -1.1])
    gates = [1 / (1 + np.exp(-u * cells)) if gated else 1.0 for u in (0.7, 4.0)]
    return attention, cells, 3 * np.tanh(cells) * gates[0] + 0.5 * np.tanh(-2 * cells) * gates[1]


@pytest.mark.parametrize("gated", [False, True])
def test_attention_is_the_softmax_of_the_papers_logits(gated: bool) -> None:
    attention, values, logits = attention_by_hand(gated)
    # A second bag of one cell, whose weight is 1 whatever its logit.
    cells = torch.tensor([*values, 5.0]).float()[:, None]
    expected = np.exp(logits) / np.exp(logits).sum()
    shares = attention.shares(cells, index((2, 1)), 2).detach()
    np.testing.assert_allclose(shares, [*expected, 1.0], rtol=1e-5)
    pooled = attention(cells, index((2, 1)), 2).detach()[:, 0]
    np.testing.assert_allclose(pooled, [expected @ values, 5.0], rtol=1e-5)


def test_a_closed_gate_shuts_a_unit_of_attention() -> None:
    attention, _, _ = attention_by_hand(gated=True)
    assert attention.U is not None
    with torch.no_grad():
        attention.U.weight.fill_(-100.0)
    # With closed gates all cells have the same weight, however much their features differ.
    shares = attention.shares(torch.tensor([[1.0], [40.0]]), index((2,)), 1)
    np.testing.assert_allclose(shares.detach(), 0.5, atol=1e-6)


def test_attention_to_very_different_cells_does_not_overflow() -> None:
    attention, _, _ = attention_by_hand(gated=False)
    with torch.no_grad():
        attention.w.weight.mul_(1e4)
    cells = torch.tensor([[-50.0], [50.0], [1.0]])
    np.testing.assert_allclose(
        attention.shares(cells, index((2, 1)), 2).detach(), [0.0, 1.0, 1.0], atol=1e-6
    )


def test_the_maximum_is_of_each_feature_and_the_largest_cell_has_its_share() -> None:
    cells = torch.tensor([[1.0, 5.0, 0.0], [2.0, 4.0, 0.0], [-3.0, -1.0, -2.0]])
    assert Max(3)(cells, index((2, 1)), 2).tolist() == [[2.0, 5.0, 0.0], [-3.0, -1.0, -2.0]]
    # One feature each and a tie in the third.
    np.testing.assert_allclose(Max(3).shares(cells, index((2, 1)), 2), [0.5, 0.5, 1.0])


def test_mean_and_deviation_are_concatenated_and_all_cells_count_alike() -> None:
    cells = torch.tensor([[1.0, 7.0], [3.0, 7.0], [4.0, -2.0]])
    expected = [[2.0, 7.0, np.std([1.0, 3.0]), 0.0], [4.0, -2.0, 0.0, 0.0]]
    np.testing.assert_allclose(MeanStd(2)(cells, index((2, 1)), 2), expected)
    np.testing.assert_allclose(MeanStd(2).shares(cells, index((2, 1)), 2), [0.5, 0.5, 1.0])


def test_dual_streams_by_hand() -> None:
    streams, (cells, bag_of, _) = DualStream(5, 2), batch((2, 3))
    pooled, shares = streams(cells, bag_of, 2), streams.shares(cells, bag_of, 2)
    for bag in range(2):
        rows = cells[bag_of == bag]
        scores = rows @ streams.c.weight[0]
        queries = rows @ streams.Q.weight.T
        weights = (queries @ queries[scores.argmax()] / 2**0.5).softmax(dim=0)
        torch.testing.assert_close(shares[bag_of == bag], weights)
        expected = torch.cat([scores.max()[None], weights @ rows])
        torch.testing.assert_close(pooled[bag], expected)


def test_the_scorer_of_dual_streams_learns_from_the_critical_cell() -> None:
    streams, cells = DualStream(3, 2), torch.eye(3)
    torch.autograd.backward(streams(cells, index((3,)), 1)[0, 0])
    expected = torch.nn.functional.one_hot(streams.c.weight[0].argmax(), 3).float()
    assert streams.c.weight.grad is not None
    torch.testing.assert_close(streams.c.weight.grad[0], expected)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_an_aggregation_has_its_width_and_shares_that_sum_to_one(aggregation: str) -> None:
    pooling, (cells, bag_of, _) = build(aggregation=aggregation).aggregation, batch()
    assert pooling(cells, bag_of, 3).shape == (3, pooling.width)
    shares = torch.zeros(3).index_add(0, bag_of, pooling.shares(cells, bag_of, 3).detach())
    torch.testing.assert_close(shares, torch.ones(3))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_packed_bags_get_the_logits_they_get_alone(aggregation: str) -> None:
    network, (cells, bag_of, clinical) = build(aggregation=aggregation), batch()
    together = network(cells, bag_of, clinical)
    for bag in range(3):
        rows = cells[bag_of == bag]
        alone = network(rows, index((len(rows),)), clinical[bag : bag + 1])
        torch.testing.assert_close(alone[0], together[bag])


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_gradients_are_those_of_finite_differences(aggregation: str) -> None:
    network = build(3, aggregation=aggregation, attention_width=2, hidden=[3]).double()
    cells, bag_of, clinical = batch(n_features=3)
    names = [name for name, _ in network.named_parameters()]

    def logits(*parameters: Tensor) -> Tensor:
        swapped = dict(zip(names, parameters, strict=True))
        inputs = cells.double(), bag_of, clinical.double()
        result: Tensor = torch.func.functional_call(network, swapped, inputs)
        return result

    assert torch.autograd.gradcheck(logits, tuple(network.parameters()))


def test_the_network_equals_the_reports_written_as_formulas() -> None:
    network, (cells, bag_of, clinical) = build(), batch(sizes=(8,))
    state = network.state_dict()

    def layer(name: str, position: int, x: Tensor) -> Tensor:
        weight, bias = (state[f"{name}.linears.{position}.{kind}"] for kind in ("weight", "bias"))
        active = (weight @ x + bias).clamp(min=0)
        return (active - active.mean()) / (active.var(unbiased=False) + 1e-5).sqrt()

    V, w = state["aggregation.V.weight"], state["aggregation.w.weight"][0]
    pooled = torch.softmax(torch.tanh(cells @ V.T) @ w, dim=0) @ cells
    image = layer("bag_mlp", 1, layer("bag_mlp", 0, pooled))
    joined = torch.cat([image, layer("clinical_mlp", 0, clinical[0])])
    logit = joined @ state["last.weight"][0] + state["last.bias"][0]
    torch.testing.assert_close(network(cells, bag_of, clinical)[0], logit)


def test_initial_weights_depend_on_the_seed() -> None:
    first, again, other = (build(seed=seed).last.weight for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dropped_units_are_zero_and_the_others_larger() -> None:
    mlp = Mlp([2, 4], "layer", dropout=0.5)
    x, keep = torch.ones(1, 2), torch.tensor([[0.0, 2.0, 0.0, 2.0]])
    active = mlp.linears[0](x).relu() * keep
    torch.testing.assert_close(mlp(x, keep), torch.nn.functional.layer_norm(active, (4,)))


def test_without_given_factors_torch_drops_units_in_training_alone() -> None:
    mlp, x = Mlp([2, 400], "none", dropout=0.25), torch.ones(1, 2)
    torch.nn.init.constant_(mlp.linears[0].weight, 1.0)
    mlp.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert (mlp(x) == 0).float().mean().item() == pytest.approx(0.25, abs=0.08)
    mlp.eval()
    assert (mlp(x) > 0).all()


def test_without_normalisation_a_layer_ends_with_its_dropout() -> None:
    mlp = Mlp([2, 4], "none", dropout=0.5)
    x, keep = torch.ones(1, 2), torch.tensor([[0.0, 2.0, 0.0, 2.0]])
    assert torch.equal(mlp(x, keep), mlp.linears[0](x).relu() * keep)
    assert len(list(mlp.parameters())) == 2


def test_dropout_factors_are_those_of_the_bags_layers_then_of_the_clinical_ones() -> None:
    network, (cells, bag_of, clinical) = build(), batch()
    assert network.n_units == 6 + 7 + 3
    keep = torch.ones(3, 16)
    unchanged, other = network(cells, bag_of, clinical), network(cells, bag_of, clinical + 5.0)
    torch.testing.assert_close(network(cells, bag_of, clinical, keep), unchanged)
    keep[:, 13:] = 0  # the clinical layer: its norm then gives the same for every patient
    torch.testing.assert_close(
        network(cells, bag_of, clinical, keep), network(cells, bag_of, clinical + 5.0, keep)
    )
    assert not torch.allclose(unchanged, other)


def test_without_clinical_layers_the_attributes_change_nothing() -> None:
    network, (cells, bag_of, clinical) = build(clinical_hidden=[]), batch()
    assert torch.equal(network(cells, bag_of, clinical), network(cells, bag_of, clinical + 9.0))


def test_without_hidden_layers_the_last_one_reads_the_aggregated_bag() -> None:
    network, (cells, bag_of, clinical) = build(hidden=[], clinical_hidden=[]), batch()
    expected = network.last(network.aggregation(cells, bag_of, 3))[:, 0]
    torch.testing.assert_close(network(cells, bag_of, clinical), expected)


def test_a_mixture_is_that_of_the_probabilities() -> None:
    gate, first, second = torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * 3
    share = gate.sigmoid()
    expected = share * first.sigmoid() + (1 - share) * second.sigmoid()
    torch.testing.assert_close(mixture(gate, first, second).sigmoid(), expected)


def test_a_mixture_of_confident_experts_is_finite() -> None:
    logits = torch.tensor([-200.0, 200.0])
    assert torch.isfinite(mixture(torch.tensor([90.0, -90.0]), logits, logits)).all()


def test_an_open_gate_passes_one_expert_alone() -> None:
    network, (cells, bag_of, clinical) = build(fusion="experts"), batch()
    network.last.weight.data.zero_()
    network.last.bias.data.fill_(50.0)  # the image expert alone
    image = network(cells, bag_of, clinical)
    torch.testing.assert_close(image, network(cells, bag_of, clinical + 5.0))
    network.last.bias.data.fill_(-50.0)  # the clinical expert alone
    other = network(cells, bag_of, clinical)
    torch.testing.assert_close(other, network(cells + 5.0, bag_of, clinical))
    assert not torch.allclose(image, other)


def test_experts_need_clinical_data() -> None:
    with pytest.raises(ValueError, match="clinical_hidden"):
        build(fusion="experts", clinical_hidden=[])
