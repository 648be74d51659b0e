"""Training of an ensemble of `AttentionMil`: steps, dropout masks, early stopping, history.

The members are ordinary networks, trained one after the other. Stacked into one network with
`torch.func.vmap` they take 0.7 to 1.6 times the CPU time (benchmarks/d_mil.py).
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.adam import adam

from lymphokit.deep_mil.attention_mil import AttentionMil
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.preparation import Prepared
from lymphokit.errors import LymphokitError

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

_CHUNK_BAGS = 32  # bags that pass through a network at once outside training
_PARTS_FOR_ONE = 5  # a single network is stopped on a fifth of its patients


@dataclass(frozen=True)
class Examples:
    """Prepared patients with labels (n_bags,) in {0, 1} and weights (n_bags,) of their losses."""

    inputs: Prepared
    labels: Tensor
    weights: Tensor

    @classmethod
    def from_labels(
        cls, inputs: Prepared, labels: NDArray[np.int64], label_weights: NDArray[np.float32]
    ) -> Self:
        """Label_weights (2,): weights of the losses of negatives and positives."""
        known = torch.from_numpy(labels.astype(np.float32))
        return cls(inputs, known, torch.from_numpy(label_weights[labels]))

    def losses(self, logits: Tensor, bags: Positions) -> Tensor:
        """Weighted binary cross-entropy of logits (n,) of the bags at positions (n,)."""
        return binary_cross_entropy_with_logits(
            logits, self.labels[bags], weight=self.weights[bags], reduction="none"
        )


@dataclass(frozen=True)
class Parts:
    """The use of each bag, disjoint: learned from, held out for early stopping, scored only.

    learned and held_out (networks, n_bags), scored (n_bags,).
    """

    learned: Booleans
    held_out: Booleans
    scored: Booleans

    def of_network(self, row: int) -> "Parts":
        """The parts of one network, (n_bags,) each."""
        return Parts(self.learned[row], self.held_out[row], self.scored)


@dataclass(frozen=True)
class Curves:
    """Weighted loss, and balanced accuracy at probability 0.5, each (epochs, networks).

    nan after a network has stopped, and where it has no such bags.
    """

    loss: Floats
    balanced_accuracy: Floats


@dataclass(frozen=True)
class History:
    """The course of training on each of a network's parts.

    learned: in the epoch's steps, with dropout. held_out and scored: after the epoch's last step,
    without dropout.
    """

    learned: Curves
    held_out: Curves
    scored: Curves


@dataclass(frozen=True)
class Ensemble:
    """Trained networks, each with its weights of the epoch of lowest loss on its held-out bags.

    epochs (networks,): these epochs, from 1. logits (networks, n_bags): of the held-out and scored
    bags at that epoch, nan for the others. scores: of each network, as `join_history` takes them.
    """

    networks: list[AttentionMil]
    epochs: Positions
    logits: Floats
    scores: list[Floats]


def hold_out(labels: NDArray[np.int64], members: int, rng: np.random.Generator) -> Booleans:
    """Which bags each member holds out for early stopping: (members, n_bags).

    Bags are dealt in random order, label after label, so that parts differ by at most one bag of
    each label. Each bag is held out by one of several members; a single member holds out a fifth.
    Raises ValueError where a member would have no bag to learn from or none to hold out.
    """
    if len(labels) < max(members, 2):
        raise ValueError(f"{members} members need {max(members, 2)} patients, got {len(labels)}")
    shuffled = rng.permutation(len(labels))
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    part = np.empty(len(labels), dtype=np.int64)
    part[dealt] = np.arange(len(labels)) % (members if members > 1 else _PARTS_FOR_ONE)
    held_out: Booleans = part == np.arange(members)[:, None]
    return held_out


def train_ensemble(
    examples: Examples,
    parts: Parts,
    settings: DMilSettings,
    rng: np.random.Generator,
    seeds: Sequence[int],
) -> Ensemble:
    """Train a network for each seed.

    Every network goes through the bags in the same order, drawn by `rng` anew for each epoch, and
    skips those it does not learn from. Its initial weights and dropout come from its seed.
    Raises LymphokitError where a network's loss on its held-out bags never was a number.
    """
    bags = np.flatnonzero(parts.learned.any(axis=0))
    runs = [
        _train(examples, parts.of_network(row), settings, _orders(bags, deepcopy(rng)), seed)
        for row, seed in enumerate(seeds)
    ]
    networks, epochs, logits, scores = zip(*runs, strict=True)
    return Ensemble(list(networks), np.array(epochs), np.stack(logits), list(scores))


def predict_logits(network: AttentionMil, inputs: Prepared, chosen: Positions) -> Floats:
    """Logits of the bags at these positions, without dropout: (n,)."""
    network.eval()
    with torch.inference_mode():
        logits = [network(*inputs.batch(chunk)) for chunk in _chunks(chosen)]
    return torch.cat(logits).double().numpy()


def predict_shares(network: AttentionMil, inputs: Prepared) -> Floats:
    """The share of each cell in its bag, all of a bag's sum to 1: (n_cells,)."""
    with torch.inference_mode():
        shares = [
            network.aggregation.shares(cells, bag_of, len(clinical))
            for cells, bag_of, clinical in map(inputs.batch, _chunks(np.arange(len(inputs))))
        ]
    return torch.cat(shares).double().numpy()


def _chunks(bags: Positions) -> list[Positions]:
    return np.split(bags, range(_CHUNK_BAGS, len(bags), _CHUNK_BAGS))


def _train(
    examples: Examples,
    parts: Parts,
    settings: DMilSettings,
    orders: Iterator[Positions],
    seed: int,
) -> tuple[AttentionMil, int, Floats, Floats]:
    """Train one network, its parts (n_bags,) each.

    Returns the network, its epoch, its logits (n_bags,) and its scores (epochs, 3 parts, 2).
    """
    inputs, evaluated = examples.inputs, np.flatnonzero(parts.held_out | parts.scored)
    stopping = EarlyStopping(settings.lr_patience, settings.early_stopping)
    scores = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AttentionMil.from_settings(inputs.n_features, settings)
        optimizer = Adam(network, settings.learning_rate, settings.weight_decay)
        for epoch in range(1, settings.max_epochs + 1):
            steps = split_steps(next(orders), parts.learned, settings.batch_bags)
            logits = train_epoch(network, optimizer, examples, steps)
            logits[evaluated] = predict_logits(network, inputs, evaluated)
            scores.append(epoch_scores(examples, parts, logits))
            stopping.update(epoch, loss=scores[-1][1, 0])
            if stopping.improved:
                weights = {name: each.clone() for name, each in network.state_dict().items()}
                best_logits = logits
            if stopping.reduce_rate:
                optimizer.learning_rate *= settings.lr_factor
            if stopping.stop:
                break
    if stopping.best_epoch == 0:
        raise LymphokitError(
            "D-MIL: the validation loss of a network never was a number; "
            "check that every feature is finite, or lower learning_rate"
        )
    network.load_state_dict(weights)
    best_logits[parts.learned] = np.nan  # met with dropout, and before the epoch's last step
    return network, stopping.best_epoch, best_logits, np.stack(scores)


def train_epoch(
    network: AttentionMil, optimizer: "Adam", examples: Examples, steps: Sequence[Positions]
) -> Floats:
    """Lower the mean loss of the bags of each step.

    Returns logits (n_bags,), of each bag as it was met, nan for bags in no step.
    """
    met = np.full(len(examples.inputs), np.nan)
    keep = draw_keep(len(met), network.n_units, network.dropout)
    network.train()
    for bags in steps:
        logits = network(*examples.inputs.batch(bags), None if keep is None else keep[bags])
        optimizer.step(examples.losses(logits, bags).mean())
        met[bags] = logits.detach().numpy()
    return met


def split_steps(order: Positions, learned: Booleans, batch_bags: int) -> list[Positions]:
    """The bags of each step: the next `batch_bags` of the order, less those not learned from.

    There is no step without a bag.
    """
    steps = np.split(order, range(batch_bags, len(order), batch_bags))
    return [step[learned[step]] for step in steps if learned[step].any()]


def draw_keep(n_bags: int, n_units: int, dropout: float) -> Tensor | None:
    """Dropout factors of an epoch, 0 or 1 / (1 - dropout): (n_bags, n_units); None without dropout.

    Drawn for bags and not for steps, so that a bag's factors do not depend on `batch_bags` nor on
    the bags that the network holds out.
    """
    return (torch.rand(n_bags, n_units) >= dropout) / (1.0 - dropout) if dropout > 0 else None


def epoch_scores(examples: Examples, parts: Parts, logits: Floats) -> Floats:
    """Loss and balanced accuracy on the bags learned from, held out and scored: (3, 2)."""
    known, scores = examples.labels.numpy(), np.full((3, 2), np.nan)
    for row, part in enumerate((parts.learned, parts.held_out, parts.scored)):
        bags = np.flatnonzero(part)
        if len(bags):
            losses = examples.losses(torch.from_numpy(logits[bags]).float(), bags)
            right = (logits[bags] > 0) == (known[bags] == 1)
            recalls = [right[known[bags] == label].mean() for label in np.unique(known[bags])]
            scores[row] = float(losses.mean()), np.mean(recalls)
    return scores


def join_history(scores: Sequence[Floats]) -> History:
    """The history of networks from each one's `epoch_scores` (epochs, 3, 2)."""
    padded = np.full((max(map(len, scores)), len(scores), 3, 2), np.nan)
    for network, by_epoch in enumerate(scores):
        padded[: len(by_epoch), network] = by_epoch
    return History(*(Curves(padded[..., part, 0], padded[..., part, 1]) for part in range(3)))


class EarlyStopping:
    """Follows a network's loss on its held-out bags.

    lr_patience: epochs without a lower loss after which to reduce the learning rate, repeatedly.
    early_stopping: epochs without a lower loss after which to stop.
    After `update`, of the last epoch: `improved`, `reduce_rate`, `stop`; `best_epoch` from 1, 0
    where no loss was a number.
    """

    def __init__(self, lr_patience: int, early_stopping: int) -> None:
        self.lr_patience = lr_patience
        self.early_stopping = early_stopping
        self.lowest = np.inf
        self.best_epoch = 0
        self._waited = 0

    def update(self, epoch: int, loss: float) -> None:
        """Record the loss of an epoch, epochs counted from 1."""
        self.improved = bool(loss < self.lowest)  # an equal loss is not lower, nor is nan
        self._waited += 1
        if self.improved:
            self.lowest, self.best_epoch, self._waited = loss, epoch, 0
        self.reduce_rate = self._waited == self.lr_patience
        if self.reduce_rate:
            self._waited = 0
        self.stop = epoch - self.best_epoch >= self.early_stopping


class Adam:
    """`torch.optim.Adam`, by its functional form.

    The constructor of the class imports torch's compiler: 1.3 s of CPU time in the process of every
    fit.
    weight_decay: L2, added to the gradient.
    """

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self._parameters: list[Tensor] = list(network.parameters())
        self._means = [torch.zeros_like(each) for each in self._parameters]
        self._squares = [torch.zeros_like(each) for each in self._parameters]
        self._steps = [torch.zeros(()) for _ in self._parameters]

    def step(self, loss: Tensor) -> None:
        """Move the network's parameters along the gradient of a loss."""
        for each in self._parameters:
            each.grad = None
        # Not `autograd.grad`: only `backward` gives each gradient the memory layout of its
        # parameter, which the fused kernel takes for granted.
        torch.autograd.backward(loss)
        gradients = [each.grad for each in self._parameters if each.grad is not None]
        with torch.no_grad():
            adam(
                self._parameters,
                gradients,
                self._means,
                self._squares,
                max_exp_avg_sqs=[],
                state_steps=self._steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.learning_rate,
                weight_decay=self.weight_decay,
                eps=1e-8,
                maximize=False,
            )


def _orders(bags: Positions, rng: np.random.Generator) -> Iterator[Positions]:
    """The bags in a new order for each epoch."""
    while True:
        yield rng.permutation(bags)
