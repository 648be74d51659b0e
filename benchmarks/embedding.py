"""Attention over embedded cells, the network of Ilse et al. 2018, many of them side by side.

The networks come in groups. Those of a group read the same numbers: the cells as one training
part standardises them. Letters in shapes: G groups, M networks (group after group), n cells,
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
from torch.optim.sgd import sgd

from lymphokit.bags.segments import bag_of, tensor_segment_softmax
from subsample import few_of_each

_MOMENTUM = 0.9


@dataclass(frozen=True)
class Embedding:
    """What a network is: the widths of the layers that embed a cell, then of the attention."""

    widths: Sequence[int]
    attention_width: int
    gated: bool


class EmbeddedAttention(nn.Module):
    """Fully connected layers on each cell, attention over the bag's cells, one logit.

    Parameters lead with M and come from each network's own generator, uniform within
    1 / sqrt(inputs) as in `torch.nn.Linear`.
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
        shares = tensor_segment_softmax(self._scores(hidden).T, index, n_bags).T
        is_in = index == torch.arange(n_bags).unsqueeze(1)
        bags = torch.bmm(shares.unsqueeze(1) * is_in, hidden.mT)
        return torch.bmm(bags, self.last).squeeze(2) + self.last_bias

    def _embedded(self, cells: Tensor, keep: Sequence[Tensor] | None) -> Tensor:
        """The last layer's units: (M, width, n)."""
        groups, n_cells, features = cells.shape
        first = self.layers[0].view(groups, -1, features)  # all of a group are one product
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
class Course:
    """How to train: descent with momentum 0.9 and an L2 penalty, every network at one pace.

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
class Reading:
    """The bags as the groups read them: cells (G, n, d) float32, offsets (B + 1,), labels (B,)."""

    cells: Tensor
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]


def train(
    network: EmbeddedAttention,
    reading: Reading,
    learns: NDArray[np.bool_],
    course: Course,
    seed: int,
) -> Iterator[int]:
    """Train all networks and yield each epoch of the course at its end, for a look at them.

    learns (M, B): the bags that a network learns from; a step lowers the mean cross-entropy of
    those it holds. The seed draws what the networks share: the order of the bags, the cells, and
    which units dropout silences.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    velocities = [torch.zeros_like(each) for each in network.parameters()]
    learning, labels = torch.from_numpy(learns), torch.from_numpy(np.float32(reading.labels))
    for epoch in range(1, max(course.epochs) + 1):
        for bags, cells, index in _steps(reading.offsets, course, rng):
            keep = _draw_keep(network, len(cells), course.dropout, generator)
            logits = network(reading.cells[:, cells], index, len(bags), keep)
            network.zero_grad()
            torch.autograd.backward(_loss(logits, labels[bags], learning[:, bags]))
            _descend(list(network.parameters()), velocities, course)
        if epoch in course.epochs:
            yield epoch


def logits_of(
    network: EmbeddedAttention, reading: Reading, asked: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """What each network says of the bags its group is asked about, nan elsewhere: (M, B).

    asked (G, B). All cells of a bag are read.
    """
    parameters = dict(network.named_parameters())
    size = len(network.w) // len(asked)
    logits = np.full((len(network.w), asked.shape[1]), np.nan, dtype=np.float32)
    for group, own in enumerate(asked):
        members = slice(group * size, (group + 1) * size)
        cells = reading.cells[group : group + 1, torch.from_numpy(own[bag_of(reading.offsets)])]
        sizes = torch.from_numpy(np.diff(reading.offsets)[own])
        index = torch.arange(len(sizes)).repeat_interleave(sizes)
        theirs = {name: each[members] for name, each in parameters.items()}
        with torch.inference_mode():
            said = functional_call(network, theirs, (cells, index, len(sizes)))
        logits[members, own] = said.numpy()
    return logits


def drawn(
    shape: tuple[int, ...], inputs: int, generators: Sequence[torch.Generator]
) -> nn.Parameter:
    """A parameter of this shape for each network, as `torch.nn.Linear` draws it."""
    bound = 1.0 / inputs**0.5
    rows = [torch.empty(shape).uniform_(-bound, bound, generator=each) for each in generators]
    return nn.Parameter(torch.stack(rows))


def _descend(parameters: list[nn.Parameter], velocities: list[Tensor], course: Course) -> None:
    """Move all networks, and the velocities, one step along the gradients."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    with torch.no_grad():
        # The function, since the class imports all of torch's compiler to be constructed.
        sgd(
            list(parameters),
            gradients,
            list(velocities),
            fused=True,
            weight_decay=course.weight_decay,
            momentum=_MOMENTUM,
            lr=course.learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


def _steps(
    offsets: NDArray[np.int64], course: Course, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """An epoch: for each step its bags, the positions of their cells, and the bag of each cell."""
    drawn = few_of_each(offsets, course.most_cells, rng.random(offsets[-1]))
    ends = np.searchsorted(drawn, offsets)
    order = torch.from_numpy(rng.permutation(len(offsets) - 1))
    for bags in torch.split(order, course.batch_bags):
        own = [drawn[ends[bag] : ends[bag + 1]] for bag in bags]
        sizes = torch.tensor([len(each) for each in own])
        index = torch.arange(len(own)).repeat_interleave(sizes)
        yield bags, torch.from_numpy(np.concatenate(own)), index


def _draw_keep(
    network: EmbeddedAttention, n_cells: int, dropout: float, generator: torch.Generator
) -> list[Tensor] | None:
    """Factors of the units of each layer, as `EmbeddedAttention` takes them."""
    if dropout == 0:
        return None
    shapes = [(layer.shape[1], n_cells) for layer in network.layers]
    drawn = [torch.rand(shape, generator=generator) for shape in shapes]
    return [(each >= dropout) / (1.0 - dropout) for each in drawn]


def _loss(logits: Tensor, labels: Tensor, own: Tensor) -> Tensor:
    """The sum over networks of the mean cross-entropy of their own bags; logits, own (M, B)."""
    target = labels.expand_as(logits)
    losses = binary_cross_entropy_with_logits(logits, target, reduction="none") * own
    return (losses.sum(dim=1) / own.sum(dim=1).clamp(min=1)).sum()
