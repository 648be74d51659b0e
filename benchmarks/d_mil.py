"""D-MIL: members trained one after the other, against members stacked into one network.

    python benchmarks/d_mil.py [--threads 1] [--epochs 3]

121 patients with 40 cells each, the report's network without dropout. Three ways to train for an
epoch:

    ours     ordinary networks one after the other, packed bags
    stacked  `torch.func.stack_module_state` and `vmap`: the networks of a fold are one, which reads
             the cells once for all of them; Adam moves each by itself
    loop     ordinary networks one after the other, a bag at a time, `torch.optim.Adam`

Two cases: a fit of 4 members, which hold out a quarter of the patients each, and an ablation of 35
networks, 7 executions on each of 5 folds. Printed are CPU seconds of the fastest epoch, the ways in
turn; those of the loop are of one network, times their number. Then how far the weights of ours and
stacked are apart after these epochs, and the ratios.
"""

import argparse
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.adam import adam

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil.attention_mil import AttentionMil
from lymphokit.deep_mil.preparation import Prepared
from lymphokit.deep_mil.training import Adam, Examples, hold_out, split_steps, train_epoch

PATIENTS, CELLS, FOLDS, EXECUTIONS, MEMBERS, LEARNING_RATE = 121, 40, 5, 7, 4, 1e-4


@dataclass(frozen=True)
class Fold:
    """Patients, the bags each network learns from (networks, n_bags), and the networks."""

    examples: Examples
    learned: NDArray[np.bool_]
    networks: list[AttentionMil]

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The bags in the order of an epoch."""
        return np.random.default_rng(epoch).permutation(np.flatnonzero(self.learned.any(axis=0)))


def make_fold(features: int, networks: int, seed: int) -> Fold:
    """Four networks hold out a quarter of the bags each, more of them all the same fifth."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(PATIENTS) < 0.69).astype(np.int64)
    cells = rng.normal(size=(PATIENTS * CELLS, features)).astype(np.float32)
    cells[np.repeat(labels == 1, CELLS), 0] += 0.5
    ids = tuple(str(patient) for patient in range(PATIENTS))
    clinical = torch.from_numpy(rng.normal(size=(PATIENTS, 2)).astype(np.float32))
    inputs = Prepared(Bags(cells, np.arange(PATIENTS + 1) * CELLS, ids), clinical)
    held_out = hold_out(labels, MEMBERS if networks == MEMBERS else 1, rng)
    torch.manual_seed(seed)
    return Fold(
        Examples(inputs, labels, np.ones(2, dtype=np.float32)),
        np.broadcast_to(~held_out, (networks, PATIENTS)),
        [report_network(features) for _ in range(networks)],
    )


def report_network(features: int) -> AttentionMil:
    return AttentionMil(
        features,
        aggregation="attention",
        attention_width=64,
        hidden=[128, 128],
        clinical_hidden=[128, 128],
        fusion="joined",
        normalisation="layer",
        dropout=0.0,
    )


class Ours:
    """The networks of a fold, one after the other."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.networks = deepcopy(fold.networks)
        self.optimizers = [Adam(each, LEARNING_RATE, weight_decay=0.0) for each in self.networks]

    def train(self, epoch: int, batch_bags: int) -> None:
        order = self.fold.order(epoch)
        for row, (network, optimizer) in enumerate(
            zip(self.networks, self.optimizers, strict=True)
        ):
            steps = split_steps(order, self.fold.learned[row], batch_bags)
            train_epoch(network, optimizer, self.fold.examples, steps)

    def weights(self) -> list[Tensor]:
        by_network = [list(network.parameters()) for network in self.networks]
        return [torch.stack(each).detach() for each in zip(*by_network, strict=True)]


class Stacked:
    """The networks of a fold as one."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.stack, _ = stack_module_state(fold.networks)  # type: ignore[arg-type]
        template = deepcopy(fold.networks[0]).to("meta")

        def logits(weights: dict[str, Tensor], *batch: Tensor) -> Tensor:
            result: Tensor = functional_call(template, weights, batch)
            return result

        self.forward = vmap(logits, in_dims=(0, None, None, None))
        # An optimizer for each member: one without a bag in a step does not move.
        self.parameters = [
            [each.detach()[row] for each in self.stack.values()]
            for row in range(len(fold.networks))
        ]
        self.means = [[torch.zeros_like(each) for each in row] for row in self.parameters]
        self.squares = [[torch.zeros_like(each) for each in row] for row in self.parameters]
        self.steps = [[torch.zeros(()) for _ in row] for row in self.parameters]

    def train(self, epoch: int, batch_bags: int) -> None:
        examples, order = self.fold.examples, self.fold.order(epoch)
        for bags in np.split(order, range(batch_bags, len(order), batch_bags)):
            learned = torch.from_numpy(self.fold.learned[:, bags])
            logits = self.forward(self.stack, *examples.inputs.batch(bags))
            losses = binary_cross_entropy_with_logits(
                logits, _labels(examples, bags).expand_as(logits), reduction="none"
            )
            means = (losses * learned).sum(dim=1) / learned.sum(dim=1).clamp(min=1)
            for each in self.stack.values():
                each.grad = None
            torch.autograd.backward(means.sum())
            for row in np.flatnonzero(learned.any(dim=1).numpy()):
                self._move(row)

    def _move(self, row: int) -> None:
        gradients = [each.grad[row] for each in self.stack.values() if each.grad is not None]
        adam(
            self.parameters[row], gradients, self.means[row], self.squares[row], [],
            self.steps[row], fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=LEARNING_RATE,
            weight_decay=0.0, eps=1e-8, maximize=False,
        )  # fmt: skip

    def weights(self) -> list[Tensor]:
        return [each.detach() for each in self.stack.values()]


class Loop:
    """The first network of a fold, a bag at a time."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.network = deepcopy(fold.networks[0])
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def train(self, epoch: int, _: int) -> None:
        order, examples = self.fold.order(epoch), self.fold.examples
        for bag in order[self.fold.learned[0, order]]:
            logit = self.network(*examples.inputs.batch(np.array([bag])))
            self.optimizer.zero_grad()
            torch.autograd.backward(
                binary_cross_entropy_with_logits(logit, _labels(examples, [bag]))
            )
            self.optimizer.step()


def _labels(examples: Examples, bags: ArrayLike) -> Tensor:
    return torch.from_numpy(np.float32(examples.labels[bags]))


def cpu_seconds(ways: Sequence[Ours | Stacked | Loop], epoch: int, batch_bags: int) -> float:
    start = time.process_time()
    for way in ways:
        way.train(epoch, batch_bags)
    return time.process_time() - start


def compare(features: int, batch_bags: int, networks: int, folds: int, epochs: int) -> str:
    """Measure one case; its ratios."""
    made = [make_fold(features, networks, seed) for seed in range(folds)]
    ours, stacked, loop = [Ours(f) for f in made], [Stacked(f) for f in made], Loop(made[0])
    seconds = np.empty((epochs + 1, 3))
    for epoch in range(epochs + 1):  # the first to warm up
        seconds[epoch] = [
            cpu_seconds(ours, epoch, batch_bags),
            cpu_seconds(stacked, epoch, batch_bags),
            cpu_seconds([loop], epoch, 1) * networks * folds,
        ]
    best = seconds[1:].min(axis=0)
    apart = max(
        float((a - b).abs().max())
        for pair in zip(ours, stacked, strict=True)
        for a, b in zip(*(each.weights() for each in pair), strict=True)
    )
    case = f"{networks * folds:2d} networks, {features:4d} features, {batch_bags:2d} bags a step"
    print(f"{case}: ours {best[0]:.3f} s, stacked {best[1]:.3f} s, loop {best[2]:.3f} s; "
          f"weights apart {apart:.0e}")  # fmt: skip
    return f"{case}: ours / stacked {best[0] / best[1]:.2f}, loop / ours {best[2] / best[0]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    ratios = [
        compare(features, batch_bags, networks, folds, arguments.epochs)
        for networks, folds in ((MEMBERS, 1), (EXECUTIONS, FOLDS))
        for features, batch_bags in ((64, 16), (512, 16), (3000, 16), (3000, 1))
    ]
    print(*ratios, sep="\n")


if __name__ == "__main__":
    main()
