"""Training of an ensemble of `AttentionMil`: steps, dropout, early stopping, history.

The members are ordinary networks, trained one after the other; benchmarks/attention_mil.py compares
an epoch with other implementations.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lymphokit.deep_mil.attention_mil import AttentionMil
from lymphokit.deep_mil.network_settings import DMilSettings
from lymphokit.deep_mil.preparation import Prepared
from lymphokit.errors import LymphokitError

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
Parts = NDArray[np.str_]  # `learned`, `held_out` for early stopping, `scored` only, or empty

_CHUNK_BAGS = 32  # bags that pass through a network at once outside training
_MOMENTUM = 0.9  # of SGD
_PARTS_FOR_ONE = 5  # a single network is stopped on a fifth of its patients


@dataclass(frozen=True)
class Examples:
    """Prepared patients, labels (n_bags,) in {0, 1}, weights (2,) of the losses of 0 and 1."""

    inputs: Prepared
    labels: NDArray[np.int64]
    label_weights: NDArray[np.float32]

    def losses(self, logits: Tensor, bags: Positions) -> Tensor:
        """Weighted binary cross-entropy of logits (n,) of the bags at positions (n,)."""
        labels, weights = self.targets(bags)
        return binary_cross_entropy_with_logits(logits, labels, weight=weights, reduction="none")

    def targets(self, bags: Positions) -> tuple[Tensor, Tensor]:
        """Labels and loss weights of the bags at positions (n,), both (n,) float32."""
        labels = self.labels[bags]
        weights = torch.from_numpy(self.label_weights[labels])
        return torch.from_numpy(labels.astype(np.float32)), weights


@dataclass(frozen=True)
class Trained:
    """A network with its weights of the epoch of lowest loss on its held-out bags.

    epoch: that epoch, from 1. logits (n_bags,): of the held-out and scored bags, nan for others.
    history: rows `epoch, part, loss, balanced_accuracy`, the latter at probability 0.5; on learned
    bags in the epoch's steps, with dropout, on the others after its last step, without.
    """

    network: AttentionMil
    epoch: int
    logits: Floats
    history: pd.DataFrame


def join_histories(trained: Sequence[Trained]) -> pd.DataFrame:
    """The histories of the members of an ensemble, with a column `member` from 1."""
    return pd.concat([each.history.assign(member=row) for row, each in enumerate(trained, start=1)])


def hold_out(labels: NDArray[np.int64], members: int, rng: np.random.Generator) -> Booleans:
    """Which bags each member holds out for early stopping: (members, n_bags).

    Bags are dealt in random order, label after label, so that members differ by at most one bag of
    each label. Each bag is held out by one of several members; a single member holds out a fifth.
    Raises ValueError where a member would have no bag to learn from or none to hold out.
    """
    if len(labels) < max(members, 2):
        raise ValueError(f"{members} members need {max(members, 2)} patients, got {len(labels)}")
    shuffled = rng.permutation(len(labels))
    dealt = shuffled[np.argsort(labels[shuffled], kind="stable")]
    member = np.empty(len(labels), dtype=np.int64)
    member[dealt] = np.arange(len(labels)) % (members if members > 1 else _PARTS_FOR_ONE)
    held_out: Booleans = member == np.arange(members)[:, None]
    return held_out


def train_ensemble(
    examples: Examples,
    parts: Parts,
    settings: DMilSettings,
    rng: np.random.Generator,
    seeds: Sequence[int],
) -> list[Trained]:
    """Train a network for each row of `parts` (networks, n_bags) and each seed.

    Every network goes through the bags in the same order, drawn by `rng` anew for each epoch, and
    skips those it does not learn from. Its initial weights and dropout come from its seed.
    Raises LymphokitError where a network's loss on its held-out bags never was a number.
    """
    bags = np.flatnonzero((parts == "learned").any(axis=0))
    return [
        _train_network(examples, row, settings, _orders(bags, deepcopy(rng)), seed)
        for row, seed in zip(parts, seeds, strict=True)
    ]


def _train_network(
    examples: Examples,
    parts: Parts,
    settings: DMilSettings,
    orders: Iterator[Positions],
    seed: int,
) -> Trained:
    """Train a network on its parts (n_bags,), with the order of the bags for each epoch."""
    evaluated = np.flatnonzero((parts == "held_out") | (parts == "scored"))
    stopping = EarlyStopping(settings.lr_patience, settings.early_stopping)
    history = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AttentionMil.from_settings(examples.inputs.bags.instances.shape[1], settings)
        optimizer = make_optimizer(network, settings)
        for epoch in range(1, settings.max_epochs + 1):
            steps = split_steps(next(orders), parts == "learned", settings.batch_bags)
            logits = train_epoch(network, optimizer, examples, steps)
            logits[evaluated] = predict_logits(network, examples.inputs, evaluated)
            scores = score_parts(examples, parts, logits)
            history += [{"epoch": epoch, "part": part, **row} for part, row in scores.items()]
            stopping.update(epoch, scores["held_out"]["loss"])
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
    best_logits[parts == "learned"] = np.nan  # of training steps, with dropout
    return Trained(network, stopping.best_epoch, best_logits, pd.DataFrame(history))


def train_epoch(
    network: AttentionMil, optimizer: "Optimizer", examples: Examples, steps: Sequence[Positions]
) -> Floats:
    """Lower the mean loss of the bags of each step.

    Returns the logits of each bag in its step, nan for bags in no step: (n_bags,).
    """
    logits = np.full(len(examples.inputs), np.nan)
    keep = draw_keep(len(logits), network.n_units, network.dropout)
    network.train()
    outputs = []
    for step in _step_inputs(examples, keep, steps):
        output = network(*step.batch, step.keep)
        optimizer.step(binary_cross_entropy_with_logits(output, step.labels, weight=step.weights))
        outputs.append(output.detach())
    if outputs:
        logits[np.concatenate(steps)] = torch.cat(outputs).numpy()
    return logits


class _Step(NamedTuple):
    """What a step reads: a batch, dropout factors, labels and loss weights of its bags."""

    batch: tuple[Tensor, Tensor, Tensor]
    keep: Tensor | None
    labels: Tensor
    weights: Tensor


def _step_inputs(
    examples: Examples, keep: Tensor | None, steps: Sequence[Positions]
) -> Iterator[_Step]:
    """The inputs of each step; all but the cells are gathered for the whole epoch at once."""
    if not steps:
        return
    order, sizes = np.concatenate(steps), [len(step) for step in steps]
    labels, weights = (torch.split(each, sizes) for each in examples.targets(order))
    kept: Sequence[Tensor | None] = [None] * len(steps)
    if keep is not None:
        kept = torch.split(keep[torch.from_numpy(order)], sizes)
    yield from map(_Step, examples.inputs.batches(steps), kept, labels, weights)


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


def score_parts(examples: Examples, parts: Parts, logits: Floats) -> dict[str, dict[str, float]]:
    """Weighted loss and balanced accuracy on the bags of each part that has any.

    parts (n_bags,): learned, held_out or scored; logits (n_bags,), called tumoral above 0.
    """
    scores = {}
    for part in ("learned", "held_out", "scored"):
        bags = np.flatnonzero(parts == part)
        if len(bags):
            labels, called = examples.labels[bags], logits[bags] > 0
            loss = examples.losses(torch.from_numpy(logits[bags]).float(), bags).mean()
            recalls = [(called == label)[labels == label].mean() for label in np.unique(labels)]
            scores[part] = {"loss": loss.item(), "balanced_accuracy": float(np.mean(recalls))}
    return scores


def predict_logits(network: AttentionMil, inputs: Prepared, chosen: Positions) -> Floats:
    """Logits of the bags at these positions, without dropout: (n,)."""
    network.eval()
    with torch.inference_mode():
        logits = [network(*batch) for batch in inputs.batches(_chunks(chosen))]
    return torch.cat(logits).double().numpy()


def predict_shares(network: AttentionMil, inputs: Prepared) -> Floats:
    """The share of each cell in its bag, all of a bag's sum to 1: (n_cells,)."""
    with torch.inference_mode():
        shares = [
            network.aggregation.shares(cells, bag_of, len(clinical))
            for cells, bag_of, clinical in inputs.batches(_chunks(np.arange(len(inputs))))
        ]
    return torch.cat(shares).double().numpy()


def _chunks(bags: Positions) -> list[Positions]:
    return np.split(bags, range(_CHUNK_BAGS, len(bags), _CHUNK_BAGS))


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


class Optimizer(Protocol):
    """What training needs of an optimizer; `learning_rate` may change between steps."""

    learning_rate: float

    def step(self, loss: Tensor) -> None:
        """Move the network's parameters along the gradient of a loss."""
        ...


def make_optimizer(network: nn.Module, settings: DMilSettings) -> Optimizer:
    """The optimizer that the settings name, of all parameters of a network.

    Source: report 5.2.2 a: Adam; RMSprop and SGD "gave worse results".
    Departs: the momentum of SGD, 0.9; the report gives no settings of RMSprop and SGD.
    """
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adam":
        return Adam(network, rate, decay)
    weights = list(network.parameters())
    if settings.optimizer == "rmsprop":
        return Wrapped(torch.optim.RMSprop(weights, lr=rate, weight_decay=decay))
    return Wrapped(torch.optim.SGD(weights, lr=rate, weight_decay=decay, momentum=_MOMENTUM))


class Wrapped:
    """An optimizer of `torch.optim` with the interface of `Optimizer`."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self.learning_rate = float(optimizer.param_groups[0]["lr"])

    def step(self, loss: Tensor) -> None:
        """Move the network's parameters along the gradient of a loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()


class Adam:
    """`torch.optim.Adam`, by its kernel.

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
        self._step = torch.zeros(())

    def step(self, loss: Tensor) -> None:
        """Move the network's parameters along the gradient of a loss."""
        for each in self._parameters:
            each.grad = None
        # Not `autograd.grad`: only `backward` gives each gradient the memory layout of its
        # parameter, which the fused kernel takes for granted.
        torch.autograd.backward(loss)
        with torch.no_grad():
            self._step += 1.0
            # Not `torch.optim.adam.adam`, which counts the steps of every parameter by itself and
            # sorts the parameters by device: as long again as the update.
            torch._fused_adam_(
                self._parameters,
                [each.grad for each in self._parameters if each.grad is not None],
                self._means,
                self._squares,
                [],
                [self._step] * len(self._parameters),
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
