"""Layers of many networks: each is what torch's own layer is, and knows of no other."""

import numpy as np
import pytest
import torch

from lymphokit.deep_mil.layers import MemberLinear, MemberMlp


def generators(members: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in range(members)]


def test_a_member_layer_is_torchs_and_so_are_its_gradients() -> None:
    layer = MemberLinear(5, 3, generators(2))
    x = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(9), requires_grad=True)
    y = layer(x)
    torch.autograd.backward((y**2).sum())
    for member in range(2):
        weight, bias, own = (
            part[member].detach().clone().requires_grad_() for part in (layer.weight, layer.bias, x)
        )
        theirs = torch.nn.functional.linear(own, weight, bias[0])
        torch.testing.assert_close(y[member], theirs)
        torch.autograd.backward((theirs**2).sum())
        for ours, other in ((layer.weight, weight), (layer.bias, bias), (x, own)):
            assert ours.grad is not None
            torch.testing.assert_close(ours.grad[member], other.grad)


def test_a_member_layer_starts_within_the_bounds_of_torch_linear() -> None:
    layer = MemberLinear(25, 400, generators(2))
    assert layer.weight.abs().max() <= 0.2
    assert layer.weight.abs().max() > 0.19
    assert layer.weight.std().item() == pytest.approx(0.2 / np.sqrt(3), rel=0.05)


def test_dropped_units_are_silent_and_the_others_louder() -> None:
    mlp = MemberMlp(2, [4], "layer", generators(1))
    x, keep = torch.ones(1, 1, 2), torch.tensor([[[0.0, 2.0, 0.0, 2.0]]])
    active = mlp.linears[0](x).relu() * torch.tensor([0.0, 2.0, 0.0, 2.0])
    torch.testing.assert_close(mlp(x, keep), torch.nn.functional.layer_norm(active, (4,)))


def test_without_normalisation_a_layer_ends_with_its_dropout() -> None:
    mlp = MemberMlp(2, [4], "none", generators(1))
    x, keep = torch.ones(1, 1, 2), torch.tensor([[[0.0, 2.0, 0.0, 2.0]]])
    assert torch.equal(mlp(x, keep), mlp.linears[0](x).relu() * keep)
    assert len(list(mlp.parameters())) == 2
