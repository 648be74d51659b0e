"""Training of networks side by side: each has its own patients, pace and day to stop."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.adam import adam

from lymphokit.errors import LymphokitError
from lymphokit.mil.attention import Committee
from lymphokit.mil.bags import Bags

_CHUNK_CELLS = 1024  # cells that pass through the networks at once outside training steps
_PARTS_FOR_ONE = 5  # a single network stops early on a fifth of its patients


@dataclass(frozen=True)
class Inputs:
    """What the networks read: bags of projected cells, clinical attributes (n_bags, 2)."""

    bags: Bags
    clinical: Tensor

    def batch(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Cells, the bag of each, and clinical attributes of the bags at these positions."""
        cells = torch.from_numpy(self.bags.instances[self.bags.cells_of(chosen)])
        index = np.repeat(np.arange(len(chosen)), self.bags.sizes[chosen])
        return cells, torch.from_numpy(index), self.clinical[torch.from_numpy(chosen)]


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels (n_bags,) in {0, 1} and what a bag's loss costs (n_bags,)."""

    inputs: Inputs
    labels: Tensor
    costs: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def losses(self, logits: Tensor, chosen: Tensor) -> Tensor:
        """Weighted binary cross-entropy of the chosen bags: (members, n_chosen)."""
        target = self.labels[chosen].expand_as(logits)
        return binary_cross_entropy_with_logits(
            logits, target, weight=self.costs[chosen], reduction="none"
        )


@dataclass(frozen=True)
class Schedule:
    """How to train; the fields are the settings of `models.d_mil` in config.yaml."""

    dropout: float
    learning_rate: float
    weight_decay: float
    batch_bags: int
    schedule_factor: float
    schedule_patience: int
    max_epochs: int
    early_stopping: int


@dataclass(frozen=True)
class History:
    """How training went, each (epochs, members); nan once a member has stopped.

    The loss is the weighted one, the balanced accuracy is at probability 0.5, both without
    dropout and after the epoch's last step. "train" is the bags a member learns from,
    "validation" those it is stopped on.
    """

    train_loss: NDArray[np.float64]
    validation_loss: NDArray[np.float64]
    train_balanced_accuracy: NDArray[np.float64]
    validation_balanced_accuracy: NDArray[np.float64]


class MemberAdam:
    """Adam for networks side by side: each with its own learning rate, moments and step count.

    A member that has no bag in a step is left as it is, as if the step were not. `weights`
    (members, n_parameters) is the memory in which the network's parameters live from now on, a
    row a member, so that a member moves by one fused operation; `settle` gives them back.
    weight_decay is L2, added to the gradient as in `torch.optim.Adam`, whose betas these are.
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        self.parameters = list(network.parameters())
        self.weights = torch.cat([each.detach().flatten(1) for each in self.parameters], dim=1)
        widths = [each[0].numel() for each in self.parameters]
        views = torch.split(self.weights, widths, dim=1)
        for parameter, view in zip(self.parameters, views, strict=True):
            parameter.data = view.view(parameter.shape)
        self.rates = np.full(len(self.weights), learning_rate)
        self.weight_decay = weight_decay
        self._gradients, self._means, self._squares = torch.zeros(3, *self.weights.shape)
        self._steps = torch.zeros(len(self.weights))

    def step(self, learning: Sequence[bool]) -> None:
        """Move the members that are learning along the gradients of the parameters."""
        parts = [_gradient(each).flatten(1) for each in self.parameters]
        gradients = torch.cat(parts, dim=1, out=self._gradients)  # fresh memory costs more
        for member in np.flatnonzero(learning):
            # The function, since the class imports all of torch's compiler to be constructed.
            adam(
                [self.weights[member]],
                [gradients[member]],
                [self._means[member]],
                [self._squares[member]],
                max_exp_avg_sqs=[],
                state_steps=[self._steps[member]],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=float(self.rates[member]),
                weight_decay=self.weight_decay,
                eps=1e-8,
                maximize=False,
            )

    def slow(self, members: NDArray[np.bool_], factor: float) -> None:
        """Multiply the learning rate of the members that are marked in (members,)."""
        self.rates[members] *= factor

    def settle(self, weights: Tensor) -> None:
        """Leave the network with `weights` (members, n_parameters), in memory of its own."""
        self.weights.copy_(weights)
        for parameter in self.parameters:
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
            parameter.grad = None


class Watch:
    """Watches each member's validation loss: when it was lowest, when to slow down and to stop."""

    def __init__(self, members: int, schedule_patience: int, early_stopping: int) -> None:
        self.schedule_patience = schedule_patience
        self.early_stopping = early_stopping
        self.lowest = np.full(members, np.inf)
        self.epochs = np.zeros(members, dtype=np.int64)
        self.running = np.ones(members, dtype=bool)
        self._waited = np.zeros(members, dtype=np.int64)

    def look(
        self, epoch: int, losses: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Take note of an epoch's losses (members,); who improved, and who shall slow down."""
        improved = self.running & (losses < self.lowest)
        self.lowest = np.where(improved, losses, self.lowest)
        self.epochs = np.where(improved, epoch, self.epochs)
        self._waited = np.where(improved, 0, self._waited + 1)
        slow = self.running & (self._waited == self.schedule_patience)
        self._waited[slow] = 0
        self.running &= epoch - self.epochs < self.early_stopping
        return improved, slow


def train(
    network: Committee,
    examples: Examples,
    held_out: NDArray[np.bool_],
    schedule: Schedule,
    rng: np.random.Generator,
    generators: Sequence[torch.Generator],
) -> tuple[History, NDArray[np.int64]]:
    """Train all members; leave each with its weights of the epoch of lowest validation loss.

    held_out (members, n_bags): the bags a member is stopped on; it learns from the others.
    rng draws the order of the bags, a member's generator its dropout. Returns the history and
    each member's chosen epoch, from 1.
    Raises LymphokitError where a member's validation loss never was a number.
    """
    optimizer = MemberAdam(network, schedule.learning_rate, schedule.weight_decay)
    watch = Watch(len(held_out), schedule.schedule_patience, schedule.early_stopping)
    kept = optimizer.weights.clone()
    learns = torch.from_numpy(~held_out)
    taught = np.flatnonzero((~held_out).any(axis=0))
    lines = []
    for epoch in range(1, schedule.max_epochs + 1):
        running = watch.running.copy()
        steps = draw_steps(taught, schedule.batch_bags, rng)
        keep = draw_keep(network, len(examples), schedule.dropout, generators)
        learn(
            network, optimizer, examples, learns & torch.from_numpy(running)[:, None], steps, keep
        )
        line = judge(network, examples, learns)
        improved, slow = watch.look(epoch, line[1])
        lines.append(np.where(running, line, np.nan))
        kept[improved] = optimizer.weights[improved]
        optimizer.slow(slow, schedule.schedule_factor)
        if not watch.running.any():
            break
    optimizer.settle(kept)
    _check_trained(watch.epochs)
    return History(*np.stack(lines, axis=1)), watch.epochs


def learn(
    network: Committee,
    optimizer: MemberAdam,
    examples: Examples,
    learns: Tensor,
    steps: Sequence[NDArray[np.int64]],
    keep: Tensor | None,
) -> None:
    """Train for an epoch: a step for each array of bag positions in `steps`.

    learns (members, n_bags): which bags a member learns from; a step lowers the mean loss of
    those it holds. keep: as `draw_keep` gives it.
    """
    for chosen in steps:
        where = torch.from_numpy(chosen)
        own = learns[:, where]
        factors = None if keep is None else keep[:, where]
        logits = network(*examples.inputs.batch(chosen), factors)
        losses = (examples.losses(logits, where) * own).sum(dim=1)
        network.zero_grad()
        torch.autograd.backward((losses / own.sum(dim=1).clamp(min=1)).sum())
        optimizer.step(own.any(dim=1).tolist())


def judge(network: Committee, examples: Examples, learns: Tensor) -> NDArray[np.float64]:
    """An epoch's line of the history, one column a member: (4, members) in `History`'s order."""
    with torch.inference_mode():
        parts = chunks(examples.inputs.bags.sizes)
        logits = torch.cat([network(*examples.inputs.batch(few)) for few in parts], dim=1)
        losses = examples.losses(logits, torch.arange(len(examples)))
        right = (logits > 0) == (examples.labels == 1)
        rows = [_mean(losses, learns), _mean(losses, ~learns)]
        rows += [_balanced(right, examples.labels, part) for part in (learns, ~learns)]
    line: NDArray[np.float64] = torch.stack(rows).double().numpy()
    return line


def hold_out(
    labels: NDArray[np.int64], members: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which bags each member is stopped on instead of learning from: (members, n_bags).

    Bags are dealt in random order, label after label, so parts differ by at most one bag of
    each label. Several members share all bags out between them; a single one gets a fifth.
    Raises ValueError where a member would have no bag to learn from or none to be stopped on.
    """
    if len(labels) < max(members, 2):
        raise ValueError(f"{members} members need {max(members, 2)} patients, got {len(labels)}")
    shuffled = rng.permutation(len(labels))
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    part = np.empty(len(labels), dtype=np.int64)
    part[dealt] = np.arange(len(labels)) % (members if members > 1 else _PARTS_FOR_ONE)
    held_out: NDArray[np.bool_] = part == np.arange(members)[:, None]
    return held_out


def chunks(sizes: NDArray[np.int64], cells: int = _CHUNK_CELLS) -> Iterator[NDArray[np.int64]]:
    """Positions of consecutive bags, so many that all but the last hold fewer than `cells`."""
    chunk = (np.cumsum(sizes) - sizes) // cells
    yield from np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(chunk)) + 1)


def draw_steps(
    bags: NDArray[np.int64], batch_bags: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """The bags at these positions in random order, `batch_bags` at a time."""
    return np.split(rng.permutation(bags), range(batch_bags, len(bags), batch_bags))


def draw_keep(
    network: Committee, n_bags: int, dropout: float, generators: Sequence[torch.Generator]
) -> Tensor | None:
    """An epoch's dropout factors (members, n_bags, units), each member's from its generator.

    Drawn for bags and not for steps, so that they do not depend on who shares a step.
    """
    if dropout == 0:
        return None
    shape = n_bags, network.dropout_width
    rows = [torch.rand(shape, generator=generator) for generator in generators]
    return (torch.stack(rows) >= dropout) / (1.0 - dropout)


def _mean(values: Tensor, part: Tensor) -> Tensor:
    """Mean of values (members, n_bags) over each member's part of the bags; nan over none."""
    return (values * part).sum(dim=1) / part.sum(dim=1)


def _balanced(right: Tensor, labels: Tensor, part: Tensor) -> Tensor:
    """Mean of the recalls of the labels that occur in each member's part: (members,)."""
    recalls = [_mean(right.float(), part & (labels == label)) for label in (0, 1)]
    return torch.stack(recalls).nanmean(dim=0)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None  # every parameter is part of every logit
    return parameter.grad


def _check_trained(epochs: NDArray[np.int64]) -> None:
    if (epochs == 0).any():
        members = ", ".join(str(member + 1) for member in np.flatnonzero(epochs == 0))
        raise LymphokitError(
            f"D-MIL: the validation loss of member {members} never was a number; "
            "check that every feature is finite, or lower learning_rate"
        )
