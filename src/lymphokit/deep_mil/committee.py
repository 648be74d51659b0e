"""Training of networks side by side: each has its own patients, pace and day to stop.

Networks come in groups. Those of a group read the same features of the cells and meet the bags in
the same order, so that a step reads its cells once for all of them; all else is a network's own.
Letters in shapes: M networks, G groups, B bags of a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil.attention import Batch
from lymphokit.deep_mil.descent import MemberAdam, Watch
from lymphokit.deep_mil.draws import Booleans, Positions, Step, draw_epoch, draw_keep, side_by_side
from lymphokit.deep_mil.network import Committee
from lymphokit.errors import LymphokitError

_CHUNK_BAGS = 32  # bags that pass through the networks at once between epochs
_FEWER = 0.75  # networks that have stopped are put aside when so few of those present still run


@dataclass(frozen=True)
class Inputs:
    """What the networks of a group read: bags of projected cells, clinical attributes (n_bags, 2).

    All groups hold the same patients in the same order.
    """

    bags: Bags
    clinical: Tensor

    @property
    def n_features(self) -> int:
        """Features of a cell."""
        return int(self.bags.instances.shape[1])

    @property
    def n_clinical(self) -> int:
        """Clinical attributes of a patient."""
        return self.clinical.shape[1]

    def batch(self, chosen: Positions, members: int) -> Batch:
        """The bags at these positions, for so many networks."""
        cells = torch.from_numpy(self.bags.cells_of(chosen))
        instances = torch.from_numpy(self.bags.instances).index_select(0, cells)
        sizes = tuple(self.bags.sizes[chosen].tolist())
        return Batch(instances, sizes, self.clinical[torch.from_numpy(chosen)], members)


@dataclass(frozen=True)
class Examples:
    """Inputs, one a group, with labels and costs.

    labels (n_bags,) in {0, 1}; costs (G, n_bags), factors of the bags' losses.
    """

    inputs: Sequence[Inputs]
    labels: Tensor
    costs: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Plan:
    """Who is what to each network; a row a network, group after group, a column a bag.

    group_of (M,) ascending. Booleans (M, n_bags): learned, the bags it learns from; held_out, those
    it is slowed and stopped on; scored, those it is only watched on. No bag is two of them.
    """

    group_of: Positions
    learned: Booleans
    held_out: Booleans
    scored: Booleans

    def take(self, members: Positions) -> "Plan":
        """The plan of the networks at these positions."""
        parts = (self.learned, self.held_out, self.scored)
        return Plan(self.group_of[members], *(part[members] for part in parts))


@dataclass(frozen=True)
class Schedule:
    """How to train; the fields are settings of `models.d_mil` in config.yaml."""

    dropout: float
    learning_rate: float
    weight_decay: float
    batch_bags: int
    lr_factor: float
    lr_patience: int
    max_epochs: int
    early_stopping: int


@dataclass(frozen=True)
class Curves:
    """Weighted loss, and balanced accuracy at probability 0.5, each (epochs, M).

    nan once a network has stopped, and where it has no such bags.
    """

    loss: NDArray[np.float64]
    balanced_accuracy: NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """How training went, on each of a plan's parts.

    learned: as the bags were met in the epoch's steps, with dropout. held_out and scored: after
    the epoch's last step, without dropout.
    """

    learned: Curves
    held_out: Curves
    scored: Curves


@dataclass(frozen=True)
class Training:
    """What training leaves besides the weights.

    epochs (M,): the chosen ones, from 1. logits (M, n_bags): of the bags that a network held out or
    was scored on, at its chosen epoch; nan for others.
    """

    history: History
    epochs: Positions
    logits: NDArray[np.float64]


def train(
    network: Committee,
    examples: Examples,
    plan: Plan,
    schedule: Schedule,
    rngs: Sequence[np.random.Generator],
    generators: Sequence[torch.Generator],
) -> Training:
    """Train all networks; leave each with its weights of the epoch of lowest loss on `held_out`.

    rngs: one a group, draws the order of its bags; generators: one a network, draws its dropout.
    Raises LymphokitError where a network's loss on what it held out never was a number.
    """
    optimizer = MemberAdam(network, schedule.learning_rate, schedule.weight_decay)
    watch = Watch(len(plan.group_of), schedule.lr_patience, schedule.early_stopping)
    taught = [np.flatnonzero(own) for own in _by_group(plan.learned, plan.group_of)]
    present = np.arange(len(plan.group_of))
    kept = optimizer.weights.clone()
    logits = np.full(plan.learned.shape, np.nan)
    lines = []
    for epoch in range(1, schedule.max_epochs + 1):
        now, running = plan.take(present), watch.running[present]
        steps = draw_epoch(taught, np.unique(now.group_of), schedule.batch_bags, rngs)
        own = [generators[int(member)] for member in present]
        keep = draw_keep(len(examples), network.dropout_width, schedule.dropout, own)
        met = learn(network, optimizer, examples, now, running, steps, keep)
        seen = judge(network, examples, now)
        line = np.full((6, len(plan.group_of)), np.nan)
        line[:, present[running]] = summary(examples, now, met, seen)[:, running]
        lines.append(line)
        improved, slow = watch.look(epoch, line[2])
        kept[improved] = optimizer.weights[improved[present]]
        logits[improved] = seen.numpy()[improved[present]]
        optimizer.slow(slow[present], schedule.lr_factor)
        running = watch.running[present]
        if not running.any():
            break
        if running.mean() <= _FEWER:
            optimizer.keep(running)
            present = present[running]
    optimizer.settle(kept)
    _check_trained(watch.epochs)
    logits[~(plan.held_out | plan.scored)] = np.nan
    rows = np.stack(lines, axis=1)
    history = History(Curves(*rows[:2]), Curves(*rows[2:4]), Curves(*rows[4:]))
    return Training(history, watch.epochs, logits)


def learn(
    network: Committee,
    optimizer: MemberAdam,
    examples: Examples,
    plan: Plan,
    running: Booleans,
    steps: Sequence[Step],
    keep: Tensor | None,
) -> Tensor:
    """Train for an epoch; the logits (M, n_bags) with which bags were met, nan for the others.

    A step lowers, for each network that is running, the mean loss of those of its bags that the
    network learns from. keep: as `draw_keep` gives it.
    """
    met = torch.full(plan.learned.shape, torch.nan)
    rows = torch.arange(len(plan.group_of))[:, None]
    learns = torch.from_numpy(plan.learned & running[:, None])
    for step in steps:
        where = torch.from_numpy(step.chosen[plan.group_of])
        own = learns[rows, where] & torch.from_numpy(step.real[plan.group_of])
        factors = None if keep is None else keep[rows, where]
        logits = network(batches(examples, plan, step.chosen), factors)
        losses = (_losses(examples, plan, logits, where) * own).sum(dim=1)
        network.zero_grad()
        torch.autograd.backward((losses / own.sum(dim=1).clamp(min=1)).sum())
        optimizer.step(own.any(dim=1).tolist())
        met[(rows.expand_as(where)[own], where[own])] = logits.detach()[own]
    return met


def judge(network: Committee, examples: Examples, plan: Plan) -> Tensor:
    """The logits (M, n_bags) of the bags that a network's group holds out or is scored on."""
    seen = torch.full(plan.learned.shape, torch.nan)
    rows = torch.arange(len(plan.group_of))[:, None]
    watched = [np.flatnonzero(own) for own in _by_group(plan.held_out | plan.scored, plan.group_of)]
    with torch.inference_mode():
        for step in side_by_side(watched, np.unique(plan.group_of), _CHUNK_BAGS):
            where = torch.from_numpy(step.chosen[plan.group_of])
            # A bag that is met twice has the same logit both times.
            seen[rows, where] = network(batches(examples, plan, step.chosen))
    return seen


def batches(examples: Examples, plan: Plan, chosen: Positions) -> list[Batch]:
    """What each group that has networks reads: its bags at the positions chosen (G, B)."""
    groups, members = np.unique(plan.group_of, return_counts=True)
    return [
        examples.inputs[group].batch(chosen[group], int(count))
        for group, count in zip(groups, members, strict=True)
    ]


def summary(examples: Examples, plan: Plan, met: Tensor, seen: Tensor) -> NDArray[np.float64]:
    """An epoch's line of the history, one column a network: (6, M) in `History`'s order."""
    everyone = torch.arange(len(examples)).expand_as(met)
    rows = []
    parts = ((met, plan.learned), (seen, plan.held_out), (seen, plan.scored))
    for logits, part in parts:
        own = torch.from_numpy(part)
        rows.append(_mean(_losses(examples, plan, logits, everyone), own))
        rows.append(_balanced((logits > 0) == (examples.labels == 1), examples.labels, own))
    line: NDArray[np.float64] = torch.stack(rows).double().numpy()
    return line


def _by_group(marks: Booleans, group_of: Positions) -> list[Booleans]:
    """The bags that any network of a group has marked: (n_bags,) a group."""
    n_groups = int(group_of.max()) + 1
    return [marks[group_of == group].any(axis=0) for group in range(n_groups)]


def _losses(examples: Examples, plan: Plan, logits: Tensor, where: Tensor) -> Tensor:
    """Weighted binary cross-entropy of logits (M, n) of the bags at positions `where` (M, n)."""
    costs = examples.costs[torch.from_numpy(plan.group_of)].gather(1, where)
    return binary_cross_entropy_with_logits(
        logits, examples.labels[where], weight=costs, reduction="none"
    )


def _mean(values: Tensor, part: Tensor) -> Tensor:
    """Mean of values (M, n_bags) over each network's part of the bags; nan over none."""
    return values.where(part, 0.0).sum(dim=1) / part.sum(dim=1)


def _balanced(right: Tensor, labels: Tensor, part: Tensor) -> Tensor:
    """Mean of the recalls of the labels that occur in each network's part: (M,)."""
    recalls = [_mean(right.float(), part & (labels == label)) for label in (0, 1)]
    return torch.stack(recalls).nanmean(dim=0)


def _check_trained(epochs: Positions) -> None:
    if (epochs == 0).any():
        members = ", ".join(str(member + 1) for member in np.flatnonzero(epochs == 0))
        raise LymphokitError(
            f"D-MIL: the validation loss of member {members} never was a number; "
            "check that every feature is finite, or lower learning_rate"
        )
