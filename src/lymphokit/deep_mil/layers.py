"""Layers with a leading dimension of members: a layer of many networks is one product.

Nothing is shared between members, and each learns as if it were alone.
Letters in shapes: M members, n bags.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Normalisation = Literal["layer", "none"]


class MemberLinear(nn.Module):
    """A fully connected layer for each member: (M, n, inputs) -> (M, n, outputs)."""

    def __init__(self, inputs: int, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.weight = drawn((outputs, inputs), inputs, generators)
        self.bias = drawn((1, outputs), inputs, generators)

    def forward(self, x: Tensor) -> Tensor:
        """From x (M, n, inputs) to (M, n, outputs)."""
        y: Tensor = _BatchedLinear.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return y


class _BatchedLinear(torch.autograd.Function):
    """x @ W.T + b for a batch of W, with products that need no transposed copy.

    torch's own derivative gives the gradient of W transposed, to be copied, and multiplies W from
    its slow side: at 3000 inputs and a bag a step that takes most of the step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias, x, weight.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        (of_y,) = gradients
        of_x = of_y @ weight if ctx.needs_input_grad[0] else None
        return of_x, of_y.transpose(1, 2) @ x, of_y.sum(dim=1, keepdim=True)


class MemberNorm(nn.Module):
    """Layer normalisation with a gain and a bias for each member."""

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(members, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (M, n, width) along its last dimension."""
        return torch.addcmul(self.bias, functional.layer_norm(x, x.shape[-1:]), self.gain)


class MemberMlp(nn.Module):
    """Fully connected layers, each followed by ReLU, dropout and normalisation.

    normalisation: `layer`, or `none`.
    Source: report 5.2.1, which names the three in this order and says of the last only that it is
    "a normalization layer".
    Departs: of layers, not of batches, since a step may hold one bag, of which a batch has no
    deviation, and since a batch's statistics would tie a member to bags that it holds out.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        normalisation: Normalisation,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        sizes = [inputs, *widths]
        self.widths = list(widths)
        self.linears = nn.ModuleList(MemberLinear(*pair, generators) for pair in pairwise(sizes))
        self.norms = nn.ModuleList(
            MemberNorm(len(generators), width) if normalisation == "layer" else nn.Identity()
            for width in widths
        )

    def forward(self, x: Tensor, keep: Tensor | None) -> Tensor:
        """From x (M, n, inputs) to (M, n, last width).

        keep (M, n, sum of widths): factors of the units, 0 or 1 / (1 - dropout); None keeps all.
        """
        factors = (
            [None] * len(self.widths) if keep is None else torch.split(keep, self.widths, dim=2)
        )
        for linear, norm, factor in zip(self.linears, self.norms, factors, strict=True):
            x = linear(x).relu()
            x = norm(x if factor is None else x * factor)
        return x


def drawn(
    shape: tuple[int, ...], inputs: int, generators: Sequence[torch.Generator]
) -> nn.Parameter:
    """A parameter of this shape for each member, uniform within 1 / sqrt(inputs).

    Each member's comes from its own generator, as `torch.nn.Linear` draws it.
    """
    bound = 1.0 / sqrt(inputs)
    rows = [torch.empty(shape).uniform_(-bound, bound, generator=each) for each in generators]
    return nn.Parameter(torch.stack(rows))
