"""Attention over embedded cells, the network of Ilse et al. 2018, many of them stacked.

The networks come in groups. Those of a group read the same cells, standardised on the training
part of their fold. Letters in shapes: G groups, M networks (group after group), n cells,
d features, B bags. Layers keep cells last: all their products then run on memory as it lies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import binary_cross_entropy_with_logits

from lymphokit.bags.segments import bag_of, tensor_segment_rows
from subsample import subsample_cells

_MOMENTUM = 0.9


@dataclass(frozen=True)
class Embedding:
    """Architecture: the widths of the layers that embed a cell, and that of the attention."""

    widths: Sequence[int]
    attention_width: int
    gated: bool


class EmbeddedAttention(nn.Module):
    """Fully connected layers on each cell, attention over the bag's cells, one logit.

    The first dimension of every parameter is M. Each network's generator draws its weights, uniform
    within 1 / sqrt(inputs) as in `torch.nn.Linear`.
    Source: Ilse et al. 2018, eq. 7 to 9 and the appendix on classical benchmarks.
    """

    def __init__(
        self, features: int, embedding: Embedding, generators: Sequence[torch.Generator]
    ) -> None:
        super().__init__()
        sizes = [features, *embedding.widths]
        last, width = sizes[-1], embedding.attention_width
        self.layers = nn.ParameterList(
            drawn((outputs, inputs), inputs, generators) for inputs, outputs in pairwise(sizes)
        )
        self.biases = nn.ParameterList(
            drawn((outputs, 1), inputs, generators) for inputs, outputs in pairwise(sizes)
        )
        self.V = drawn((width, last), last, generators)
        self.U = drawn((width, last), last, generators) if embedding.gated else None
        self.w = drawn((1, width), width, generators)
        self.last = drawn((last, 1), last, generators)
        self.last_bias = drawn((1,), last, generators)

    def forward(
        self, cells: Tensor, index: Tensor, n_bags: int, keep: Sequence[Tensor] | None = None
    ) -> Tensor:
        """The logit that each network gives each bag: (M, n_bags).

        cells (G, n, d), index (n,) ascending bag of each cell, keep (width, n) for each layer:
        factors of its units, 0 or 1 / (1 - dropout), the same for all networks; None keeps all.
        """
        hidden = self._embedded(cells, keep)
        scores = self._scores(hidden).unsqueeze(1)  # (M, 1, n)
        attention = tensor_segment_rows(scores, index, n_bags).softmax(dim=2)  # (M, B, n)
        bags = torch.bmm(attention, hidden.mT)  # (M, B, width)
        return torch.bmm(bags, self.last).squeeze(2) + self.last_bias  # (M, B)

    def _embedded(self, cells: Tensor, keep: Sequence[Tensor] | None) -> Tensor:
        """The last layer's units: (M, width, n)."""
        groups, n_cells, features = cells.shape
        first = self.layers[0].view(groups, -1, features)  # one product for the networks of a group
        hidden = torch.bmm(first, cells.mT).view(-1, self.layers[0].shape[1], n_cells)
        hidden = (hidden + self.biases[0]).relu()
        for layer, weights in enumerate(self.layers):
            if layer > 0:
                hidden = torch.baddbmm(self.biases[layer], weights, hidden).relu()
            if keep is not None:
                hidden = hidden * keep[layer]
        return hidden

    def _scores(self, hidden: Tensor) -> Tensor:
        """The logits of the attention: (M, n)."""
        units = torch.bmm(self.V, hidden).tanh()
        if self.U is not None:
            units = units * torch.bmm(self.U, hidden).sigmoid()
        return torch.bmm(self.w, units).squeeze(1)


@dataclass(frozen=True)
class TrainingConfig:
    """Stochastic gradient descent with momentum 0.9 and an L2 penalty, the same for every network.

    An epoch draws at most `most_cells` of each bag and takes `batch_bags` bags a step; `dropout`
    follows each layer. Training pauses after each of the ascending `epochs`.
    Departs: Ilse et al. take one bag a step, and all of its cells.
    """

    dropout: float
    learning_rate: float
    weight_decay: float
    batch_bags: int
    most_cells: int
    epochs: Sequence[int]


@dataclass(frozen=True)
class Examples:
    """Cells (G, n, d) float32, standardised for each group; offsets (B + 1,), labels (B,)."""

    cells: Tensor
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]


def train(
    network: EmbeddedAttention,
    examples: Examples,
    learned: NDArray[np.bool_],
    config: TrainingConfig,
    seed: int,
) -> Iterator[int]:
    """Train all networks; yield each of `config.epochs` at its end, to evaluate them.

    learned (M, B): the bags that a network learns from; a step lowers the mean cross-entropy of
    those of its bags. The seed draws what the networks share: the order of the bags, the cells, and
    the dropout masks.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=_MOMENTUM,
        weight_decay=config.weight_decay,
        fused=True,
    )
    masks, labels = torch.from_numpy(learned), torch.from_numpy(np.float32(examples.labels))
    for epoch in range(1, max(config.epochs) + 1):
        for bags, cells, index in _steps(examples.offsets, config, rng):
            keep = _draw_keep(network, len(cells), config.dropout, generator)
            logits = network(examples.cells[:, cells], index, len(bags), keep)
            optimizer.zero_grad()
            torch.autograd.backward(_loss(logits, labels[bags], masks[:, bags]))
            optimizer.step()
        if epoch in config.epochs:
            yield epoch


def predict_logits(
    network: EmbeddedAttention, examples: Examples, evaluated: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Logits of the bags on which each group is evaluated (G, B), nan elsewhere: (M, B).

    All cells of a bag are read.
    """
    parameters = dict(network.named_parameters())
    size = len(network.w) // len(evaluated)
    logits = np.full((len(network.w), evaluated.shape[1]), np.nan, dtype=np.float32)
    for group, bags in enumerate(evaluated):
        members = slice(group * size, (group + 1) * size)
        cells = examples.cells[group : group + 1, torch.from_numpy(bags[bag_of(examples.offsets)])]
        sizes = torch.from_numpy(np.diff(examples.offsets)[bags])
        index = torch.arange(len(sizes)).repeat_interleave(sizes)
        weights = {name: each[members] for name, each in parameters.items()}
        with torch.inference_mode():
            predicted = functional_call(network, weights, (cells, index, len(sizes)))
        logits[members, bags] = predicted.numpy()
    return logits


def drawn(
    shape: tuple[int, ...], inputs: int, generators: Sequence[torch.Generator]
) -> nn.Parameter:
    """A parameter of this shape for each network, as `torch.nn.Linear` draws it."""
    bound = 1.0 / inputs**0.5
    rows = [torch.empty(shape).uniform_(-bound, bound, generator=each) for each in generators]
    return nn.Parameter(torch.stack(rows))


def _steps(
    offsets: NDArray[np.int64], config: TrainingConfig, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """An epoch: for each step its bags, the positions of their cells, and the bag of each cell."""
    drawn = subsample_cells(offsets, config.most_cells, rng.random(offsets[-1]))
    ends = np.searchsorted(drawn, offsets)
    order = torch.from_numpy(rng.permutation(len(offsets) - 1))
    for bags in torch.split(order, config.batch_bags):
        cells = [drawn[ends[bag] : ends[bag + 1]] for bag in bags]
        sizes = torch.tensor([len(each) for each in cells])
        index = torch.arange(len(cells)).repeat_interleave(sizes)
        yield bags, torch.from_numpy(np.concatenate(cells)), index


def _draw_keep(
    network: EmbeddedAttention, n_cells: int, dropout: float, generator: torch.Generator
) -> list[Tensor] | None:
    """Factors of the units of each layer, as `EmbeddedAttention` takes them."""
    if dropout == 0:
        return None
    shapes = [(layer.shape[1], n_cells) for layer in network.layers]
    drawn = [torch.rand(shape, generator=generator) for shape in shapes]
    return [(each >= dropout) / (1.0 - dropout) for each in drawn]


def _loss(logits: Tensor, labels: Tensor, learned: Tensor) -> Tensor:
    """Sum over networks of the mean cross-entropy of the bags they learn from, (M, B) each."""
    target = labels.expand_as(logits)
    losses = binary_cross_entropy_with_logits(logits, target, reduction="none") * learned
    return (losses.sum(dim=1) / learned.sum(dim=1).clamp(min=1)).sum()
