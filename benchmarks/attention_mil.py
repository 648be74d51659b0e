"""One epoch of attention MIL: ours against the loop of the paper and against torchmil.

    python benchmarks/attention_mil.py [--threads 2] [--rounds 7]

163 bags of 16 to 150 cells, 512 features; one network in all ways: attention of width 64, two
layers of 128 units, one logit; no dropout and no clinical data, which torchmil's network does not
have. Ways to train it for an epoch, from the same weights, with the bags in the same order:

    ours      packed bags, 16 or one a step
    loop      one bag a step, plain torch, from the equations of Ilse et al. 2018; torch.optim.Adam
    torchmil  its ABMIL and its padding to the longest bag of 16, torch.optim.Adam; needs the
              package torchmil 1.0.2, else it is left out

The second case has the size of a replica (an ablation trains 35): 121 bags of 40 cells, 3000
features. Printed are the medians of seconds of rounds in which the ways take turns. The floor is
the time of the two products of cells with attention weights, of all cells at once. Results agree if
the losses of the steps of the first epoch do.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil.attention_mil import AttentionMil
from lymphokit.deep_mil.preparation import Prepared
from lymphokit.deep_mil.training import Adam, Examples, split_steps, train_epoch

LEARNING_RATE, BATCH_BAGS, WIDTH, HIDDEN, REPLICAS = 1e-4, 16, 64, 128, 35
AGREE = 1e-4  # losses of the steps of an epoch
Steps = list[NDArray[np.int64]]
Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Bags with labels, the order of an epoch, and a network."""

    examples: Examples
    order: NDArray[np.int64]
    network: AttentionMil

    def steps(self, batch_bags: int) -> Steps:
        return split_steps(self.order, np.ones(len(self.order), dtype=np.bool_), batch_bags)

    def bag(self, position: int) -> tuple[Tensor, Tensor]:
        """The cells (n, d) and the label (1,) of a bag."""
        cells = self.examples.inputs.batch(np.array([position]))[0]
        return cells, torch.tensor([float(self.examples.labels[position])])


def make_case(sizes: NDArray[np.int64], features: int) -> Case:
    """Cells of random features; those of positive bags lie higher in the first."""
    rng = np.random.default_rng(0)
    labels = (rng.random(len(sizes)) < 0.69).astype(np.int64)
    cells = rng.normal(size=(sizes.sum(), features)).astype(np.float32)
    cells[np.repeat(labels == 1, sizes), 0] += 0.5
    ids = tuple(str(bag) for bag in range(len(sizes)))
    bags = Bags(cells, np.concatenate([[0], np.cumsum(sizes)]), ids)
    inputs = Prepared(bags, torch.zeros(len(sizes), 2))
    torch.manual_seed(0)
    network = AttentionMil(
        features, aggregation="attention", attention_width=WIDTH, hidden=[HIDDEN, HIDDEN],
        clinical_hidden=[], fusion="joined", normalisation="layer", dropout=0.0,
    )  # fmt: skip
    examples = Examples(inputs, labels, np.ones(2, dtype=np.float32))
    return Case(examples, rng.permutation(len(sizes)), network)


def epoch_bags() -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(16, 151, size=163)


class Ours:
    """Packed bags."""

    def __init__(self, case: Case, batch_bags: int) -> None:
        self.case, self.steps = case, case.steps(batch_bags)
        self.network = deepcopy(case.network)
        self.optimizer = Adam(self.network, LEARNING_RATE, weight_decay=0.0)

    def train(self) -> Losses:
        examples = self.case.examples
        logits = train_epoch(self.network, self.optimizer, examples, self.steps)
        losses = examples.losses(torch.from_numpy(logits).float(), np.arange(len(logits))).numpy()
        return np.array([losses[step].mean() for step in self.steps])


class PaperNetwork(nn.Module):
    """Attention over the cells of one bag, z = sum_i a_i h_i, and a classifier of z (eq. 7, 8)."""

    def __init__(self, network: AttentionMil) -> None:
        super().__init__()
        attention = deepcopy(network.aggregation)
        self.scores = nn.Sequential(attention.V, nn.Tanh(), attention.w)
        self.classifier = head(network)

    def forward(self, cells: Tensor) -> Tensor:
        """The logit (1,) of the bag of cells (n, d)."""
        shares = self.scores(cells).T.softmax(dim=1)  # (1, n)
        logit: Tensor = self.classifier(shares @ cells)[0]
        return logit


def head(network: AttentionMil) -> nn.Sequential:
    """A copy of the layers after the attention."""
    layers = zip(network.bag_mlp.linears, network.bag_mlp.norms, strict=True)
    blocks = [[linear, nn.ReLU(), norm] for linear, norm in layers]
    return deepcopy(nn.Sequential(*[each for block in blocks for each in block], network.last))


class Loop:
    """One bag a step."""

    def __init__(self, case: Case, _: int) -> None:
        self.bags = [case.bag(bag) for bag in case.order]
        self.network = PaperNetwork(case.network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=LEARNING_RATE)

    def train(self) -> Losses:
        losses = []
        for cells, label in self.bags:
            self.optimizer.zero_grad()
            loss = binary_cross_entropy_with_logits(self.network(cells), label)
            torch.autograd.backward(loss)
            self.optimizer.step()
            losses.append(loss.item())
        return np.array(losses)


class TorchMil:
    """torchmil's network on padded batches, made anew in each epoch as its loader does."""

    def __init__(self, case: Case, batch_bags: int) -> None:
        self.collate = import_module("torchmil.data").collate_fn
        bags = [dict(zip(("X", "Y"), case.bag(bag), strict=True)) for bag in range(len(case.order))]
        self.batches = [[bags[bag] for bag in step] for step in case.steps(batch_bags)]
        self.network = self._network(case.network)
        learned = [each for each in self.network.parameters() if each.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr=LEARNING_RATE)

    def _network(self, ours: AttentionMil) -> Any:
        d = ours.aggregation.width
        network = import_module("torchmil.models").ABMIL((d,), att_dim=WIDTH)
        network.classifier = head(ours)
        attention = deepcopy(ours.aggregation)
        network.pool.fc1, network.pool.fc2 = attention.V, attention.w  # no bias, as in the paper
        return network

    def train(self) -> Losses:
        losses = []
        for bags in self.batches:
            batch = self.collate(bags)
            self.optimizer.zero_grad()
            logits = self.network(batch["X"], batch["mask"])
            loss = binary_cross_entropy_with_logits(logits, batch["Y"].squeeze(1))
            torch.autograd.backward(loss)
            self.optimizer.step()
            losses.append(loss.item())
        return np.array(losses)


Way = Ours | Loop | TorchMil


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def medians(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """The median seconds of an epoch of each way, taking turns."""
    times = [[seconds_of(way.train) for way in ways.values()] for _ in range(rounds)]
    return dict(zip(ways, np.median(times, axis=0), strict=True))


def floor_seconds(case: Case, rounds: int) -> float:
    """The products of all cells with attention weights, forward and for their gradient."""
    cells = torch.from_numpy(case.examples.inputs.bags.instances)
    weights = torch.randn(WIDTH, cells.shape[1])
    return float(
        np.median([seconds_of(lambda: (cells @ weights.T).T @ cells) for _ in range(rounds)])
    )


def compare(name: str, case: Case, rounds: int, targets: dict[str, float]) -> Iterator[str]:
    """Ratio lines of a case; target by "ours against peer"."""
    ways: dict[str, Way] = {
        "ours, 16 bags a step": Ours(case, BATCH_BAGS),
        "ours, one bag a step": Ours(case, 1),
        "loop": Loop(case, 1),
    }
    if find_spec("torchmil") is None:
        print("torchmil is not installed (pip install torchmil==1.0.2): left out")
    else:
        ways["torchmil"] = TorchMil(case, BATCH_BAGS)
    losses = {way: each.train() for way, each in ways.items()}  # also the round to warm up
    found = medians(ways, rounds)
    floor = floor_seconds(case, rounds)
    print(f"{name}: floor {floor:.3f} s")
    for way, seconds in found.items():
        print(f"  {way:22s} {seconds:.3f} s")
    for pair, target in targets.items():
        ours, peer = pair.split(" against ")
        if peer not in found:
            continue
        twin = ours if len(losses[ours]) == len(losses[peer]) else "ours, one bag a step"
        apart = float(np.abs(losses[twin] - losses[peer]).max())
        yield (
            f"RATIO {name}: {pair}: {found[peer] / found[ours]:.1f}x (target {target:g}x), "
            f"results {'agree' if apart <= AGREE else 'DIFFER'}, losses {apart:.0e} apart; "
            f"the floor alone would be {found[peer] / floor:.1f}x"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    epoch, replica = make_case(epoch_bags(), 512), make_case(np.full(121, 40), 3000)
    sixteen, one = "ours, 16 bags a step", "ours, one bag a step"
    lines = [
        *compare(
            "epoch of attention MIL", epoch, arguments.rounds,
            {f"{sixteen} against loop": 6, f"{sixteen} against torchmil": 2,
             f"{one} against loop": 1},
        ),
        *compare(
            f"epoch of one of {REPLICAS} replicas", replica, arguments.rounds,
            {f"{sixteen} against loop": 10},
        ),
    ]  # fmt: skip
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
