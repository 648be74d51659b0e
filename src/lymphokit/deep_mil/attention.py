"""From the cells of a bag to the bag: attention, as the report chose it, and its alternatives.

Every aggregation serves many networks at once. They come in groups: the networks of a group read
the same bags (a `Batch`), those of another group may read other bags, or the same ones projected
in another way. An aggregation is a module with `width`, the features of a bag; `forward`, from a
batch a group to the bags (M, B, width); `shares`, how much of its bag each cell is; and a line in
AGGREGATIONS. Letters in shapes: M all networks, S those of a group, d features a cell, L
attention width, B the bags of a batch, of which every group has as many.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lymphokit.bags.segments import (
    tensor_segment_max,
    tensor_segment_mean,
    tensor_segment_softmax,
    tensor_segment_std,
    tensor_segment_sum,
)
from lymphokit.deep_mil.layers import drawn

Aggregation = Literal["attention", "gated_attention", "dual_stream", "max", "mean_std"]


@dataclass(frozen=True)
class Batch:
    """Some bags, as the networks of a group read them.

    cells (n_cells, d) bag after bag, no gradient; sizes, the cells of each bag, none 0; clinical
    (B, n_clinical); members, how many networks read them: S.
    """

    cells: Tensor
    sizes: tuple[int, ...]
    clinical: Tensor
    members: int

    @cached_property
    def index(self) -> Tensor:
        """The bag of each cell, ascending: (n_cells,)."""
        return torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))


class Attention(nn.Module):
    """The mean of the cells weighted by attention: h_bag = sum of a_i h_i.

    The logits of a_i are w^T tanh(V h_i), or w^T (tanh(V h_i) * sigmoid(U h_i)) where it is gated.
    `V` and `U` (M, L, d) and `w` (M, L) are drawn from each network's own generator.
    Source: report 5.2.1; Ilse et al. 2018, eq. 7 and 8, gated: eq. 9.
    """

    def __init__(
        self,
        features: int,
        attention_width: int,
        generators: Sequence[torch.Generator],
        gated: bool,
    ) -> None:
        super().__init__()
        self.width = features
        self.V = drawn((attention_width, features), features, generators)
        self.w = drawn((attention_width,), attention_width, generators)
        self.U = drawn((attention_width, features), features, generators) if gated else None

    def forward(self, batches: Sequence[Batch]) -> Tensor:
        """One batch a group -> the features of the bags (M, B, d), group after group."""
        pooled = [
            attention_pool(self._weights(batch, *own), batch)
            for batch, own in zip(batches, self._by_group(batches), strict=True)
        ]
        return torch.cat(pooled) if len(pooled) > 1 else pooled[0]

    def shares(self, batch: Batch) -> Tensor:
        """The attention a_i of each network: (n_cells, M)."""
        return self._weights(batch, self.V, self.w, self.U)

    def _by_group(self, batches: Sequence[Batch]) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        sizes = [batch.members for batch in batches]
        # One split a parameter: its derivative is one concatenation, that of slices a sum of many.
        gates = [None] * len(sizes) if self.U is None else torch.split(self.U, sizes)
        return list(zip(torch.split(self.V, sizes), torch.split(self.w, sizes), gates, strict=True))

    @staticmethod
    def _weights(batch: Batch, V: Tensor, w: Tensor, U: Tensor | None) -> Tensor:
        return tensor_segment_softmax(_scores(batch.cells, V, w, U), batch.index, len(batch.sizes))


class DualStream(nn.Module):
    """Two streams: the score of the critical cell, and the cells by their likeness to it.

    A linear scorer picks a bag's critical cell, the one of the highest score; queries q = Q h then
    weigh each cell by a softmax of <q, q of the critical cell> / sqrt(L). The bag is that score,
    followed by the weighted mean of its cells. The scorer `c` (M, d) and `Q` (M, L, d) are drawn
    from each network's own generator.
    Source: Li, Li and Eliceiri 2021 (DSMIL), eq. 3 to 7, with the cells as their own values.
    Departs: the two streams meet in the bag's MLP and not in a mean of two scores.
    """

    def __init__(
        self, features: int, attention_width: int, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        self.width = 1 + features
        self.c = drawn((features,), features, generators)
        self.Q = drawn((attention_width, features), features, generators)

    def forward(self, batches: Sequence[Batch]) -> Tensor:
        """One batch a group -> the features of the bags (M, B, 1 + d), group after group."""
        members = [batch.members for batch in batches]
        own = zip(batches, torch.split(self.c, members), torch.split(self.Q, members), strict=True)
        pooled = []
        for batch, c, Q in own:
            highest, weights = self._streams(batch, c, Q)
            pooled.append(torch.cat([highest.unsqueeze(2), attention_pool(weights, batch)], dim=2))
        return torch.cat(pooled)

    def shares(self, batch: Batch) -> Tensor:
        """The weight of each cell in its bag for each network: (n_cells, M)."""
        return self._streams(batch, self.c, self.Q)[1]

    @staticmethod
    def _streams(batch: Batch, c: Tensor, Q: Tensor) -> tuple[Tensor, Tensor]:
        """The critical cells' scores (S, B) and the weights of all cells (n_cells, S)."""
        scores, queries = c @ batch.cells.T, _hidden(batch.cells, Q)
        sizes, highest, alike = list(batch.sizes), [], []
        of_bags = zip(torch.split(scores, sizes, 1), torch.split(queries, sizes, 2), strict=True)
        for own_scores, own_queries in of_bags:
            best, critical = own_scores.max(dim=1)
            place = critical.view(-1, 1, 1).expand(-1, own_queries.shape[1], 1)
            highest.append(best)
            alike.append((own_queries * own_queries.gather(2, place)).sum(dim=1))
        likeness = torch.cat(alike, dim=1).T / Q.shape[1] ** 0.5
        weights = tensor_segment_softmax(likeness, batch.index, len(batch.sizes))
        return torch.stack(highest, dim=1), weights


class Max(nn.Module):
    """The largest value of each feature among the cells of a bag. It grows with the bag.

    Source: report 5.2.1 and table 1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features

    def forward(self, batches: Sequence[Batch]) -> Tensor:
        """One batch a group -> the features of the bags (M, B, d), group after group."""
        return _for_members(batches, self._pooled)

    def shares(self, batch: Batch) -> Tensor:
        """The share of its bag's features in which a cell is the largest: (n_cells, M).

        Cells that tie for a feature share it. The same for every network: nothing is learned.
        """
        wins = (batch.cells == self._pooled(batch)[batch.index]).float()
        wins /= tensor_segment_sum(wins, batch.index, len(batch.sizes))[batch.index]
        return wins.mean(dim=1, keepdim=True).expand(-1, batch.members)

    @staticmethod
    def _pooled(batch: Batch) -> Tensor:
        return tensor_segment_max(batch.cells, batch.index, len(batch.sizes))


class MeanStd(nn.Module):
    """The mean of each feature over the cells of a bag, then its standard deviation.

    A bag of one cell deviates by 0.
    Source: report 5.2.1 and table 1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = 2 * features

    def forward(self, batches: Sequence[Batch]) -> Tensor:
        """One batch a group -> the features of the bags (M, B, 2 d), group after group."""
        return _for_members(batches, self._pooled)

    def shares(self, batch: Batch) -> Tensor:
        """The same for all cells of a bag, as the mean has it: (n_cells, M)."""
        share = 1.0 / torch.tensor(batch.sizes, dtype=batch.cells.dtype)
        return share[batch.index].unsqueeze(1).expand(-1, batch.members)

    @staticmethod
    def _pooled(batch: Batch) -> Tensor:
        both = (tensor_segment_mean, tensor_segment_std)
        parts = [pool(batch.cells, batch.index, len(batch.sizes)) for pool in both]
        return torch.cat(parts, dim=1)


AGGREGATIONS: Mapping[
    Aggregation,
    Callable[[int, int, Sequence[torch.Generator]], Attention | DualStream | Max | MeanStd],
] = MappingProxyType(
    {
        "attention": lambda d, width, own: Attention(d, width, own, gated=False),
        "gated_attention": lambda d, width, own: Attention(d, width, own, gated=True),
        "dual_stream": DualStream,
        "max": lambda d, _width, _own: Max(d),
        "mean_std": lambda d, _width, _own: MeanStd(d),
    }
)


def attention_pool(weights: Tensor, batch: Batch) -> Tensor:
    """Sum the cells of each bag, weighted, once for each network: (S, B, d).

    weights (n_cells, S). Bag after bag, so that no product holds a zero.
    Source: Ilse et al. 2018, eq. 7.
    """
    pooled: Tensor = _Pool.apply(weights.T, batch.cells, batch.sizes)  # type: ignore[no-untyped-call]
    return pooled


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, cells: Tensor, sizes: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(cells)
        ctx.sizes = sizes
        pooled = cells.new_empty(len(sizes), len(weights), cells.shape[1])
        own = torch.split(weights, list(sizes), dim=1), torch.split(cells, list(sizes))
        for own_weights, own_cells, out in zip(*own, pooled, strict=True):
            torch.mm(own_weights, own_cells, out=out)
        return pooled.transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (cells,) = ctx.saved_tensors
        bags = zip(gradients[0].unbind(dim=1), torch.split(cells, ctx.sizes), strict=True)
        return torch.cat([of_bag @ own.T for of_bag, own in bags], dim=1), None, None


def _scores(cells: Tensor, V: Tensor, w: Tensor, U: Tensor | None) -> Tensor:
    """The logits of cells (n_cells, d) for V and U (S, L, d), w (S, L): (n_cells, S)."""
    # tanh(x) is 2 sigmoid(2 x) - 1, and the sigmoid takes a quarter of the time here.
    hidden = (2.0 * _hidden(cells, V)).sigmoid()
    if U is None:
        scores = 2.0 * torch.bmm(w.unsqueeze(1), hidden).squeeze(1)
        return (scores - w.sum(dim=1, keepdim=True)).T
    gated = (2.0 * hidden - 1.0) * _hidden(cells, U).sigmoid()
    return torch.bmm(w.unsqueeze(1), gated).squeeze(1).T


def _hidden(cells: Tensor, V: Tensor) -> Tensor:
    """V h of all networks of a group, as one product: (S, L, n_cells)."""
    return (V.reshape(-1, V.shape[2]) @ cells.T).view(len(V), -1, len(cells))


def _for_members(batches: Sequence[Batch], pool: Callable[[Batch], Tensor]) -> Tensor:
    """What the cells alone decide, once for each network of each group."""
    return torch.cat([pool(batch).expand(batch.members, -1, -1) for batch in batches])
