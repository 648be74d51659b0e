"""D-MIL's network (report 5.2): aggregate a bag's cells, add clinical attributes, give one logit.

Bags are packed: the cells of all bags of a batch lie in one matrix, bag after bag.
Letters in shapes: B bags, n cells of all of them, d features of a cell, L attention width.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, logsigmoid

from lymphokit.bags.segments import (
    tensor_segment_dot,
    tensor_segment_max,
    tensor_segment_mean,
    tensor_segment_rows,
    tensor_segment_softmax,
    tensor_segment_std,
    tensor_segment_sum,
)
from lymphokit.deep_mil.network_settings import DMilSettings

Aggregation = Literal["attention", "gated_attention", "dual_stream", "max", "mean_std"]
Fusion = Literal["joined", "experts"]
Normalisation = Literal["layer", "none"]


class AttentionMil(nn.Module):
    """The logit of each bag: aggregation -> MLP, clinical attributes -> MLP, both -> one logit.

        z     = sum_i a_i h_i                    (attention; h_i the cells of the bag)
        logit = w^T [MLP(z), MLP(clinical)] + b  (fusion `joined`)

    With fusion `experts` the images and the clinical attributes each give a probability, and a
    gate on both, g = sigmoid(w^T [MLP(z), MLP(clinical)] + b), mixes them: g p1 + (1 - g) p2.
    Initial weights are those of `torch.nn.Linear`.

    n_features: d, the features of a cell.
    aggregation: how the cells of a bag become one vector.
    attention_width: L; `max` and `mean_std` do not use it.
    hidden: widths of the MLP on the aggregated cells; may be empty.
    clinical_hidden: widths of the MLP on the two clinical attributes; empty for no clinical data.
    fusion: `joined` or `experts`.
    normalisation: after each layer of the MLPs, `layer` or `none`.
    dropout: probability that a unit of the MLPs is zero in a training step.

    Source: report 5.2.1; experts: Sahasrabudhe et al. 2020.
    Departs: the experts learn through their mixture alone.
    Raises ValueError for experts without clinical layers.
    """

    def __init__(
        self,
        n_features: int,
        *,
        aggregation: Aggregation,
        attention_width: int,
        hidden: Sequence[int],
        clinical_hidden: Sequence[int],
        fusion: Fusion,
        normalisation: Normalisation,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        # Weights are drawn in this order: another order is another network for the same seed.
        self.aggregation = _aggregation(aggregation, n_features, attention_width)
        self.bag_mlp = Mlp([self.aggregation.width, *hidden], normalisation, dropout)
        self.clinical_mlp = (
            Mlp([2, *clinical_hidden], normalisation, dropout) if clinical_hidden else None
        )
        widths = [self.bag_mlp.width, *clinical_hidden[-1:]]
        self.last = nn.Linear(sum(widths), 1)  # the gate, where there are experts
        self.experts = None
        if fusion == "experts":
            if not clinical_hidden:
                raise ValueError("fusion: experts needs clinical_hidden, for its clinical expert")
            self.experts = nn.ModuleList(nn.Linear(width, 1) for width in widths)

    @classmethod
    def from_settings(cls, n_features: int, settings: DMilSettings) -> Self:
        """The network that a block of config.yaml describes."""
        return cls(
            n_features,
            aggregation=settings.aggregation,
            attention_width=settings.attention_width,
            hidden=settings.hidden,
            clinical_hidden=settings.clinical_hidden,
            fusion=settings.fusion,
            normalisation=settings.normalisation,
            dropout=settings.dropout,
        )

    @property
    def n_units(self) -> int:
        """Units that dropout may set to zero, those of the bag's MLP first."""
        return self.bag_mlp.n_units + (self.clinical_mlp.n_units if self.clinical_mlp else 0)

    def forward(
        self, cells: Tensor, bag_of: Tensor, clinical: Tensor, keep: Tensor | None = None
    ) -> Tensor:
        """Logits (B,) of bags.

        cells: (n, d), bag after bag.
        bag_of: (n,) the bag of each cell, ascending; every bag has a cell.
        clinical: (B, 2).
        keep: (B, n_units) factors of the units, 0 or 1 / (1 - dropout); None lets torch draw them
        in training mode.
        """
        bag_keep = clinical_keep = None
        if keep is not None:
            bag_keep, clinical_keep = keep.tensor_split([self.bag_mlp.n_units], dim=1)
        bags = self.aggregation(cells, bag_of, len(clinical))  # (B, aggregation.width)
        image = self.bag_mlp(bags, bag_keep)  # (B, hidden[-1])
        if self.clinical_mlp is None:
            return _scalar(self.last, image)  # (B,)
        attributes = self.clinical_mlp(clinical, clinical_keep)  # (B, clinical_hidden[-1])
        both = torch.cat([image, attributes], dim=1)  # (B, hidden[-1] + clinical_hidden[-1])
        if self.experts is None:
            return _scalar(self.last, both)  # (B,)
        image_logit = _scalar(self.experts[0], image)  # (B,)
        clinical_logit = _scalar(self.experts[1], attributes)  # (B,)
        return mixture(_scalar(self.last, both), image_logit, clinical_logit)  # (B,)


class Mlp(nn.Module):
    """Fully connected layers, each followed by ReLU, dropout and normalisation.

    sizes: the width of the input, then of each layer.

    Source: report 5.2.1, which names the three in this order and calls the last only "a
    normalization layer".
    Departs: layer normalisation, since a step may hold one bag, which has no batch deviation, and
    since batch statistics would tie a network to bags that it holds out.
    """

    def __init__(self, sizes: Sequence[int], normalisation: Normalisation, dropout: float) -> None:
        super().__init__()
        self.widths = list(sizes[1:])
        self.width = sizes[-1]
        self.n_units = sum(self.widths)
        self.dropout = dropout
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        self.norms = nn.ModuleList(
            nn.LayerNorm(width) if normalisation == "layer" else nn.Identity()
            for width in self.widths
        )

    def forward(self, x: Tensor, keep: Tensor | None = None) -> Tensor:
        """From x (B, sizes[0]) to (B, sizes[-1]); keep (B, n_units) as in `AttentionMil`."""
        factors = [None] * len(self.widths) if keep is None else torch.split(keep, self.widths, 1)
        for linear, norm, factor in zip(self.linears, self.norms, factors, strict=True):
            x = linear(x).relu()  # (B, width)
            x = x * factor if factor is not None else dropout(x, self.dropout, self.training)
            x = norm(x)
        return x


class Attention(nn.Module):
    """The mean of the cells weighted by attention: z = sum_i a_i h_i.

        a_i = softmax_i( w^T tanh(V h_i) )                       attention
        a_i = softmax_i( w^T (tanh(V h_i) * sigmoid(U h_i)) )    gated attention

    Source: report 5.2.1; Ilse et al. 2018, eq. 7 and 8, gated: eq. 9.
    """

    def __init__(self, n_features: int, attention_width: int, gated: bool) -> None:
        super().__init__()
        self.width = n_features
        self.V = nn.Linear(n_features, attention_width, bias=False)
        self.w = nn.Linear(attention_width, 1, bias=False)
        self.U = nn.Linear(n_features, attention_width, bias=False) if gated else None

    def forward(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """Aggregate cells (n, d) of bags: (B, d)."""
        weights = self.shares(cells, bag_of, n_bags)  # (n,)
        return tensor_segment_dot(weights, cells, bag_of, n_bags)  # (B, d)

    def shares(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """The attention a_i of each cell: (n,)."""
        hidden = torch.tanh(self.V(cells))  # (n, L)
        if self.U is not None:
            hidden = hidden * torch.sigmoid(self.U(cells))  # (n, L)
        return tensor_segment_softmax(_scalar(self.w, hidden), bag_of, n_bags)  # (n,)


class DualStream(nn.Module):
    """The score of a bag's critical cell, beside the mean of its cells weighted by likeness to it.

        m   = argmax_i c^T h_i                          the critical cell
        a_i = softmax_i( <Q h_i, Q h_m> / sqrt(L) )
        z   = [c^T h_m, sum_i a_i h_i]

    Source: Li, Li and Eliceiri 2021 (DSMIL), eq. 3 to 7, with the cells' features as the values.
    Departs: the two streams meet in the bag's MLP and not in a mean of two scores.
    """

    def __init__(self, n_features: int, attention_width: int) -> None:
        super().__init__()
        self.width = 1 + n_features
        self.c = nn.Linear(n_features, 1, bias=False)
        self.Q = nn.Linear(n_features, attention_width, bias=False)

    def forward(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """Aggregate cells (n, d) of bags: (B, 1 + d)."""
        highest, weights = self._streams(cells, bag_of, n_bags)  # (B,), (n,)
        mean = tensor_segment_dot(weights, cells, bag_of, n_bags)  # (B, d)
        return torch.cat([highest.unsqueeze(1), mean], dim=1)  # (B, 1 + d)

    def shares(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """The weight a_i of each cell: (n,)."""
        return self._streams(cells, bag_of, n_bags)[1]

    def _streams(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> tuple[Tensor, Tensor]:
        scores = _scalar(self.c, cells)  # (n,)
        highest, critical = tensor_segment_rows(scores, bag_of, n_bags).max(dim=1)  # (B,), (B,)
        queries = self.Q(cells)  # (n, L)
        likeness = (queries * queries[critical].index_select(0, bag_of)).sum(dim=1)  # (n,)
        likeness = likeness / queries.shape[1] ** 0.5
        return highest, tensor_segment_softmax(likeness, bag_of, n_bags)  # (B,), (n,)


class Max(nn.Module):
    """The largest value of each feature among the cells of a bag. It grows with the bag.

    Source: report 5.2.1 and table 1.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.width = n_features

    def forward(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """Aggregate cells (n, d) of bags: (B, d)."""
        return tensor_segment_max(cells, bag_of, n_bags)

    def shares(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """The share of the features in which a cell is the largest of its bag: (n,).

        Cells that tie for a feature share it.
        """
        wins: Tensor = (cells == self(cells, bag_of, n_bags)[bag_of]).float()  # (n, d)
        wins = wins / tensor_segment_sum(wins, bag_of, n_bags)[bag_of]  # ties share the feature
        return wins.mean(dim=1)


class MeanStd(nn.Module):
    """The mean of each feature over the cells of a bag, then its standard deviation.

    The deviation of a bag of one cell is 0.
    Source: report 5.2.1 and table 1.
    """

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.width = 2 * n_features

    def forward(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """Aggregate cells (n, d) of bags: (B, 2 d)."""
        mean = tensor_segment_mean(cells, bag_of, n_bags)  # (B, d)
        return torch.cat([mean, tensor_segment_std(cells, bag_of, n_bags)], dim=1)  # (B, 2 d)

    def shares(self, cells: Tensor, bag_of: Tensor, n_bags: int) -> Tensor:
        """The same for all cells of a bag: (n,)."""
        return 1.0 / bag_of.bincount(minlength=n_bags).to(cells.dtype)[bag_of]


def _aggregation(
    name: Aggregation, n_features: int, attention_width: int
) -> Attention | DualStream | Max | MeanStd:
    match name:
        case "attention":
            return Attention(n_features, attention_width, gated=False)
        case "gated_attention":
            return Attention(n_features, attention_width, gated=True)
        case "dual_stream":
            return DualStream(n_features, attention_width)
        case "max":
            return Max(n_features)
        case "mean_std":
            return MeanStd(n_features)


def mixture(gate: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """The logit of g p1 + (1 - g) p2, all three given as logits.

    In logarithms throughout: the probabilities of confident experts round to 0 or 1.
    """
    log_g, log_rest = logsigmoid(gate), logsigmoid(-gate)
    log_one = torch.logaddexp(log_g + logsigmoid(first), log_rest + logsigmoid(second))
    log_zero = torch.logaddexp(log_g + logsigmoid(-first), log_rest + logsigmoid(-second))
    return log_one - log_zero


def _scalar(linear: nn.Module, x: Tensor) -> Tensor:
    """The single output of a layer: (rows, width) -> (rows,)."""
    y: Tensor = linear(x).squeeze(1)
    return y
