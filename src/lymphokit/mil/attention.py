"""The network of the report's section 5.2, several of them side by side.

Every parameter has a leading dimension of members, so that a layer of all members is one product.
The members see the same cells; nothing else is shared, and each learns as if it were alone.
Letters in shapes: M members, d features a cell, L attention width, H the width of a layer.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lymphokit.mil.segments import tensor_segment_softmax


def attention_pool(cells: Tensor, weights: Tensor, index: Tensor, n_bags: int) -> Tensor:
    """Sum the cells of each bag, weighted, once for each member.

    cells (n_cells, d) finite, weights (n_cells, M), index (n_cells,) ascending bag of each cell
    -> (M, n_bags, d). One product with a block-diagonal matrix of weights: it never holds
    n_cells x M x d numbers, and suits steps of a few dozen bags.
    Source: Ilse et al. 2018, eq. 7.
    """
    is_in = index == torch.arange(n_bags).unsqueeze(1)
    blocks = weights.T.unsqueeze(1) * is_in
    return (blocks.flatten(0, 1) @ cells).view(-1, n_bags, cells.shape[1])


class Attention(nn.Module):
    """Attention over the cells of a bag, one for each member: h_bag = sum of a_i h_i.

    `V` (M, L, d) and `w` (M, L), drawn from each member's own generator. The one place that says
    how cells become a bag: another aggregation has `width`, the features of a bag, and `forward`.
    Source: report 5.2.1; Ilse et al. 2018, eq. 7 and 8.
    """

    def __init__(self, features: int, width: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.width = features
        self.V = _drawn((width, features), features, generators)
        self.w = _drawn((width,), width, generators)

    def scores(self, cells: Tensor) -> Tensor:
        """The logits w^T tanh(V h) of cells (n_cells, d): (n_cells, M)."""
        # tanh(x) is 2 sigmoid(2 x) - 1, and the sigmoid takes a quarter of the time here.
        hidden = torch.matmul(self.V, 2.0 * cells.T).sigmoid()
        scores = 2.0 * torch.bmm(self.w.unsqueeze(1), hidden).squeeze(1)
        return (scores - self.w.sum(dim=1, keepdim=True)).T

    def weights(self, cells: Tensor, index: Tensor, n_bags: int) -> Tensor:
        """The share a_i of each cell in its bag: (n_cells, M), each bag's sum to 1."""
        return tensor_segment_softmax(self.scores(cells), index, n_bags)

    def forward(self, cells: Tensor, index: Tensor, n_bags: int) -> Tensor:
        """Cells (n_cells, d) with the bag `index` of each -> bags (M, n_bags, d)."""
        return attention_pool(cells, self.weights(cells, index, n_bags), index, n_bags)


class MemberLinear(nn.Module):
    """A fully connected layer for each member: (M, n, inputs) -> (M, n, outputs)."""

    def __init__(self, inputs: int, outputs: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.weight = _drawn((outputs, inputs), inputs, generators)
        self.bias = _drawn((1, outputs), inputs, generators)

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
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        (of_y,) = gradients
        return of_y @ weight, of_y.transpose(1, 2) @ x, of_y.sum(dim=1, keepdim=True)


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

    Source: report 5.2.1, which names the three in this order.
    Departs: layer normalisation, since a step may hold one bag, of which a batch has no deviation.
    """

    def __init__(
        self, inputs: int, widths: Sequence[int], generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        sizes = [inputs, *widths]
        self.widths = list(widths)
        self.linears = nn.ModuleList(MemberLinear(*pair, generators) for pair in pairwise(sizes))
        self.norms = nn.ModuleList(MemberNorm(len(generators), width) for width in widths)

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


class Committee(nn.Module):
    """D-MIL networks side by side: aggregation -> MLP, clinical -> MLP, both -> one logit.

    clinical_hidden empty: no clinical branch. The initial weights of a member come from its
    generator alone, uniform within 1 / sqrt(inputs) as in `torch.nn.Linear`.
    Source: report 5.2.1.
    """

    def __init__(
        self,
        aggregation: Attention,
        hidden: Sequence[int],
        clinical_hidden: Sequence[int],
        n_clinical: int,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.aggregation = aggregation
        self.bag_mlp = MemberMlp(aggregation.width, hidden, generators)
        self.clinical_mlp = (
            MemberMlp(n_clinical, clinical_hidden, generators) if clinical_hidden else None
        )
        joined = (hidden[-1] if hidden else aggregation.width) + sum(clinical_hidden[-1:])
        self.last = MemberLinear(joined, 1, generators)

    @property
    def dropout_width(self) -> int:
        """Units that dropout may silence, the bag's MLP first: the width of `keep`."""
        clinical = self.clinical_mlp.widths if self.clinical_mlp else []
        return sum(self.bag_mlp.widths) + sum(clinical)

    def forward(
        self, cells: Tensor, index: Tensor, clinical: Tensor, keep: Tensor | None = None
    ) -> Tensor:
        """The logit that each member gives each bag: (M, n_bags).

        cells (n_cells, d), index (n_cells,) ascending, clinical (n_bags, n_clinical),
        keep (M, n_bags, dropout_width) as in `MemberMlp`, None outside training.
        """
        split = sum(self.bag_mlp.widths)
        bag_keep = None if keep is None else keep[..., :split]
        joined = self.bag_mlp(self.aggregation(cells, index, len(clinical)), bag_keep)
        if self.clinical_mlp is not None:
            clinical_keep = None if keep is None else keep[..., split:]
            everyone = clinical.expand(len(joined), *clinical.shape)
            joined = torch.cat([joined, self.clinical_mlp(everyone, clinical_keep)], dim=2)
        logits: Tensor = self.last(joined)
        return logits.squeeze(2)


def _drawn(
    shape: tuple[int, ...], inputs: int, generators: Sequence[torch.Generator]
) -> nn.Parameter:
    """A parameter of this shape for each member, uniform within 1 / sqrt(inputs)."""
    bound = 1.0 / sqrt(inputs)
    rows = [torch.empty(shape).uniform_(-bound, bound, generator=each) for each in generators]
    return nn.Parameter(torch.stack(rows))
