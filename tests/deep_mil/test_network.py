"""The network of report 5.2 by hand, and networks that do not know of one another."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lymphokit.deep_mil.attention import Batch
from lymphokit.deep_mil.network import Architecture, Committee, mixture

SMALL = Architecture("attention", 4, [6, 7], [3], "joined", "layer")


def generators(members: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(members)]


def committee(members: int = 3, features: int = 5, architecture: Architecture = SMALL) -> Committee:
    return Committee(features, 2, architecture, generators(members))


def batch(
    sizes: tuple[int, ...] = (3, 1, 4), features: int = 5, members: int = 3, seed: int = 1
) -> Batch:
    own = torch.Generator().manual_seed(seed)
    cells = torch.randn(sum(sizes), features, generator=own)
    return Batch(cells, sizes, torch.randn(len(sizes), 2, generator=own), members)


def part(of: Batch, bag: int) -> Batch:
    """One bag of a batch."""
    return replace(
        of,
        cells=of.cells[of.index == bag],
        sizes=of.sizes[bag : bag + 1],
        clinical=of.clinical[bag : bag + 1],
    )


def alone(network: Committee, member: int, architecture: Architecture = SMALL) -> Committee:
    """One of the networks by itself."""
    single = committee(members=1, architecture=architecture)
    for ours, theirs in zip(single.parameters(), network.parameters(), strict=True):
        ours.data.copy_(theirs.data[member : member + 1])
    return single


AGGREGATIONS = ["attention", "gated_attention", "dual_stream", "max", "mean_std"]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_packed_bags_get_the_logits_they_get_alone(aggregation: str) -> None:
    network, bags = committee(architecture=replace(SMALL, aggregation=aggregation)), batch()
    together = network([bags])
    for bag in range(3):
        torch.testing.assert_close(network([part(bags, bag)]), together[:, bag : bag + 1])


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_networks_of_several_groups_give_the_logits_they_give_alone(aggregation: str) -> None:
    architecture = replace(SMALL, aggregation=aggregation)
    network = committee(members=3, architecture=architecture)
    groups = [batch(members=2), batch(sizes=(2, 5, 1), members=1, seed=2)]
    together = network(groups)
    assert together.shape == (3, 3)
    for member, of in enumerate([groups[0], groups[0], groups[1]]):
        single = alone(network, member, architecture)([replace(of, members=1)])
        torch.testing.assert_close(single[0], together[member])


def test_a_members_weights_come_from_its_generator_alone() -> None:
    few, many = committee(members=2), committee(members=3)
    for ours, theirs in zip(few.parameters(), many.parameters(), strict=True):
        assert torch.equal(ours, theirs[:2])
    assert not torch.equal(many.last.weight[0], many.last.weight[1])


def test_the_gradient_of_a_member_does_not_depend_on_the_others() -> None:
    network = committee()
    torch.autograd.backward(network([batch(members=2), batch(members=1, seed=2)])[1].sum())
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert parameter.grad[[0, 2]].abs().max() == 0
    moved = network.get_parameter("aggregation.V").grad
    assert moved is not None
    assert moved[1].abs().max() > 0


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_gradients_are_those_of_finite_differences(aggregation: str) -> None:
    small = Architecture(aggregation, 2, [3], [2], "joined", "layer")
    network = committee(members=2, features=3, architecture=small).double()
    groups = [
        replace(of, cells=of.cells.double(), clinical=of.clinical.double(), members=1)
        for of in (batch(features=3), batch(features=3, seed=2))
    ]
    names = [name for name, _ in network.named_parameters()]

    def logits(*parameters: Tensor) -> Tensor:
        swapped = dict(zip(names, parameters, strict=True))
        result: Tensor = torch.func.functional_call(network, swapped, (groups,))
        return result

    assert torch.autograd.gradcheck(logits, tuple(network.parameters()))


def test_the_network_equals_the_reports_written_with_torch_layers() -> None:
    network, bag = committee(members=1), batch(sizes=(8,), members=1)
    state = {name: value[0] for name, value in network.state_dict().items()}

    def layer(name: str, position: int, x: Tensor) -> Tensor:
        weight, bias = (state[f"{name}.linears.{position}.{kind}"] for kind in ("weight", "bias"))
        gain, shift = (state[f"{name}.norms.{position}.{kind}"] for kind in ("gain", "bias"))
        active = torch.nn.functional.linear(x, weight, bias[0]).relu()
        return torch.nn.functional.layer_norm(active, active.shape[-1:], gain[0], shift[0])

    v, w = state["aggregation.V"], state["aggregation.w"]
    pooled = torch.softmax(torch.tanh(bag.cells @ v.T) @ w, dim=0) @ bag.cells
    image = layer("bag_mlp", 1, layer("bag_mlp", 0, pooled))
    joined = torch.cat([image, layer("clinical_mlp", 0, bag.clinical[0])])
    logit = joined @ state["last.weight"][0] + state["last.bias"][0, 0]
    torch.testing.assert_close(network([bag])[0, 0], logit)


def test_dropout_reaches_the_layers_in_the_order_they_stand() -> None:
    network, bags = committee(members=1), batch(members=1)
    other = replace(bags, clinical=bags.clinical + 5.0)
    assert network.dropout_width == 6 + 7 + 3
    keep = torch.ones(1, 3, 16)
    torch.testing.assert_close(network([bags], keep), network([bags]))
    keep[:, :, 13:] = 0  # the clinical layer: its norm then says the same of every patient
    torch.testing.assert_close(network([bags], keep), network([other], keep))
    assert not torch.allclose(network([bags]), network([other]))


def test_without_clinical_layers_the_attributes_change_nothing() -> None:
    network = committee(architecture=replace(SMALL, clinical_hidden=[]))
    bags = batch()
    assert torch.equal(network([bags]), network([replace(bags, clinical=bags.clinical + 9.0)]))


def test_without_hidden_layers_the_last_one_reads_the_bag_itself() -> None:
    network = committee(1, architecture=replace(SMALL, hidden=[], clinical_hidden=[]))
    bags = batch(members=1)
    pooled = network.aggregation([bags])[0]
    expected = pooled @ network.last.weight[0, 0] + network.last.bias[0, 0, 0]
    torch.testing.assert_close(network([bags])[0], expected)


def test_a_mixture_is_that_of_the_probabilities() -> None:
    gate, first, second = torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * 3
    share = gate.sigmoid()
    expected = share * first.sigmoid() + (1 - share) * second.sigmoid()
    torch.testing.assert_close(mixture(gate, first, second).sigmoid(), expected)


def test_a_mixture_of_experts_that_are_sure_stays_a_number() -> None:
    sure = torch.tensor([-200.0, 200.0])
    assert torch.isfinite(mixture(torch.tensor([90.0, -90.0]), sure, sure)).all()


def test_an_open_gate_hears_one_expert_alone() -> None:
    architecture = replace(SMALL, fusion="experts")
    network, bags = committee(architecture=architecture), batch()
    network.last.weight.data.zero_()
    network.last.bias.data.fill_(50.0)  # the images' expert has all the say
    other = replace(bags, clinical=bags.clinical + 5.0)
    torch.testing.assert_close(network([bags]), network([other]))
    network.last.bias.data.fill_(-50.0)  # and now the clinical one
    stranger = replace(bags, cells=bags.cells + 5.0)
    torch.testing.assert_close(network([bags]), network([stranger]))
    assert not torch.allclose(network([bags]), network([other]))


def test_experts_need_clinical_data() -> None:
    with pytest.raises(ValueError, match="clinical_hidden"):
        committee(architecture=replace(SMALL, fusion="experts", clinical_hidden=[]))
