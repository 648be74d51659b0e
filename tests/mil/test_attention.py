"""The network of report 5.2 by hand, and members that do not know of one another."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lymphokit.mil.attention import Attention, Committee, MemberLinear, MemberMlp, attention_pool


def generators(members: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(members)]


def committee(members: int = 3, features: int = 5) -> Committee:
    own = generators(members)
    return Committee(Attention(features, 4, own), [6, 7], [3], 2, own)


def packed(sizes: tuple[int, ...] = (3, 1, 4), features: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Cells, the bag of each, clinical attributes."""
    torch.manual_seed(1)
    index = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return torch.randn(len(index), features), index, torch.randn(len(sizes), 2)


def test_pooling_is_the_weighted_sum_of_each_bag_for_each_member() -> None:
    cells = torch.tensor([[1.0, 10.0], [3.0, 30.0], [5.0, 50.0]])
    weights = torch.tensor([[0.25, 1.0], [0.75, 0.0], [1.0, 1.0]])
    pooled = attention_pool(cells, weights, torch.tensor([0, 0, 1]), n_bags=2)
    # Member 0 takes a quarter of the first cell, member 1 all of it.
    assert pooled.tolist() == [[[2.5, 25.0], [5.0, 50.0]], [[1.0, 10.0], [5.0, 50.0]]]


def test_attention_is_the_softmax_of_w_tanh_v_h() -> None:
    attention = Attention(features=1, width=2, generators=generators(1))
    with torch.no_grad():
        attention.V.copy_(torch.tensor([[[1.0], [-2.0]]]))
        attention.w.copy_(torch.tensor([[3.0, 0.5]]))
    cells = torch.tensor([[0.4], [-1.1]])
    logits = np.array([3 * np.tanh(h) + 0.5 * np.tanh(-2 * h) for h in (0.4, -1.1)])
    np.testing.assert_allclose(attention.scores(cells).detach()[:, 0], logits, rtol=1e-5)
    shares = np.exp(logits) / np.exp(logits).sum()
    weights = attention.weights(cells, torch.tensor([0, 0]), 1)
    np.testing.assert_allclose(weights.detach()[:, 0], shares, rtol=1e-5)
    bag = attention(cells, torch.tensor([0, 0]), 1)
    assert bag.item() == pytest.approx(0.4 * shares[0] - 1.1 * shares[1], rel=1e-5)


def test_packed_bags_get_the_logits_they_get_alone() -> None:
    network, (cells, index, clinical) = committee(), packed()
    together = network(cells, index, clinical)
    for bag in range(3):
        own = cells[index == bag]
        alone = network(own, torch.zeros(len(own), dtype=torch.int64), clinical[bag : bag + 1])
        torch.testing.assert_close(together[:, bag : bag + 1], alone)


def test_members_give_the_logits_they_give_alone() -> None:
    network, inputs = committee(), packed()
    together = network(*inputs)
    for member in range(3):
        alone = committee(members=1)
        for ours, theirs in zip(alone.parameters(), network.parameters(), strict=True):
            ours.data.copy_(theirs.data[member : member + 1])
        torch.testing.assert_close(alone(*inputs), together[member : member + 1])


def test_a_members_weights_come_from_its_generator_alone() -> None:
    few, many = committee(members=2), committee(members=3)
    for ours, theirs in zip(few.parameters(), many.parameters(), strict=True):
        assert torch.equal(ours, theirs[:2])
    assert not torch.equal(many.aggregation.V[0], many.aggregation.V[1])


def test_the_gradient_of_a_member_does_not_depend_on_the_others() -> None:
    network, inputs = committee(), packed()
    torch.autograd.backward(network(*inputs)[1].sum())
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad[[0, 2]].abs().max() == 0
    assert network.aggregation.V.grad is not None
    assert network.aggregation.V.grad[1].abs().max() > 0


def test_gradients_are_those_of_finite_differences() -> None:
    network = committee(members=2, features=3).double()
    cells, index, clinical = (
        part.double() if part.is_floating_point() else part for part in packed(features=3)
    )

    names = [name for name, _ in network.named_parameters()]

    def logits(*parameters: Tensor) -> Tensor:
        swapped = dict(zip(names, parameters, strict=True))
        result: Tensor = torch.func.functional_call(network, swapped, (cells, index, clinical))
        return result

    assert torch.autograd.gradcheck(logits, tuple(network.parameters()))


def test_the_network_equals_the_reports_written_with_torch_layers() -> None:
    network, (cells, _, clinical) = committee(members=1), packed(sizes=(8,))
    state = {name: value[0] for name, value in network.state_dict().items()}

    def layer(name: str, position: int, x: Tensor) -> Tensor:
        weight, bias = (state[f"{name}.linears.{position}.{kind}"] for kind in ("weight", "bias"))
        gain, shift = (state[f"{name}.norms.{position}.{kind}"] for kind in ("gain", "bias"))
        active = torch.nn.functional.linear(x, weight, bias[0]).relu()
        return torch.nn.functional.layer_norm(active, active.shape[-1:], gain[0], shift[0])

    v, w = state["aggregation.V"], state["aggregation.w"]
    bag = torch.softmax(torch.tanh(cells @ v.T) @ w, dim=0) @ cells
    image = layer("bag_mlp", 1, layer("bag_mlp", 0, bag))
    joined = torch.cat([image, layer("clinical_mlp", 0, clinical[0])])
    logit = joined @ state["last.weight"][0] + state["last.bias"][0, 0]
    index = torch.zeros(8, dtype=torch.int64)
    torch.testing.assert_close(network(cells, index, clinical)[0, 0], logit)


def test_dropped_units_are_silent_and_the_others_louder() -> None:
    mlp = MemberMlp(2, [4], generators(1))
    x, keep = torch.ones(1, 1, 2), torch.tensor([[[0.0, 2.0, 0.0, 2.0]]])
    active = mlp.linears[0](x).relu() * torch.tensor([0.0, 2.0, 0.0, 2.0])
    torch.testing.assert_close(mlp(x, keep), torch.nn.functional.layer_norm(active, (4,)))


def test_dropout_reaches_the_layers_in_the_order_they_stand() -> None:
    network, inputs = committee(members=1), packed()
    assert network.dropout_width == 6 + 7 + 3
    keep = torch.ones(1, 3, 16)
    torch.testing.assert_close(network(*inputs, keep), network(*inputs))
    keep[:, :, 13:] = 0  # the clinical layer: its norm then says the same of every patient
    cells, index, clinical = inputs
    silenced = network(*inputs, keep)
    torch.testing.assert_close(silenced, network(cells, index, clinical + 5.0, keep))
    assert not torch.allclose(network(*inputs), network(cells, index, clinical + 5.0))


def test_without_clinical_layers_the_attributes_change_nothing() -> None:
    own = generators(2)
    network = Committee(Attention(5, 4, own), [6], [], 2, own)
    cells, index, clinical = packed()
    assert torch.equal(network(cells, index, clinical), network(cells, index, clinical + 9.0))


def test_without_hidden_layers_the_last_one_reads_the_bag_itself() -> None:
    own = generators(1)
    network = Committee(Attention(5, 4, own), [], [], 2, own)
    cells, index, clinical = packed()
    bags = network.aggregation(cells, index, 3)[0]
    expected = bags @ network.last.weight[0, 0] + network.last.bias[0, 0, 0]
    torch.testing.assert_close(network(cells, index, clinical)[0], expected)


def test_a_member_layer_starts_within_the_bounds_of_torch_linear() -> None:
    layer = MemberLinear(25, 400, generators(2))
    assert layer.weight.abs().max() <= 0.2
    assert layer.weight.abs().max() > 0.19
    assert layer.weight.std().item() == pytest.approx(0.2 / np.sqrt(3), rel=0.05)
