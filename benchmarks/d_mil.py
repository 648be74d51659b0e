"""D-MIL: 7 executions on 5 folds as one stack of 35 networks, against 35 trainings in turn.

    python benchmarks/d_mil.py [--threads 2] [--features 100 3000]

A training part of 121 patients with 40 cells each. Everybody trains the report's network and
then looks at the patients that are held out or scored. Three ways to pass an epoch of all 35:

    loop     plain torch, one network after the other, a bag a step, as one would write it
    packed   ours, one network after the other, 16 bags a step
    stacked  ours, all 35 at once, 16 bags a step

On a busy machine set OMP_WAIT_POLICY=passive, or threads that wait for one another burn its time.
Seconds are those of the fastest of a few epochs; the loop's are of one fold's first network, 35
times. Below stands how far apart the losses are that packed and stacked end with, and loop and
stacked where ours also takes a bag a step, each without dropout from the same weights.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lymphokit.bags.packed import Bags
from lymphokit.deep_mil.committee import Examples, Inputs, Plan, judge, learn, summary
from lymphokit.deep_mil.descent import MemberAdam
from lymphokit.deep_mil.draws import draw_epoch, draw_keep, hold_out
from lymphokit.deep_mil.network import Architecture, Committee

PATIENTS, CELLS, FOLDS, EXECUTIONS = 121, 40, 5, 7
REPORT = Architecture("attention", 64, [128, 128], [128, 128], "joined", "layer")
Epoch = Callable[[], NDArray[np.float64]]


class PlainNetwork(nn.Module):
    """The report's network as a user would write it, for one bag."""

    def __init__(self, features: int, dropout: float) -> None:
        super().__init__()
        self.V = nn.Linear(features, 64, bias=False)
        self.w = nn.Linear(64, 1, bias=False)
        self.bag_mlp = self._mlp(features, dropout)
        self.clinical_mlp = self._mlp(2, dropout)
        self.last = nn.Linear(256, 1)

    @staticmethod
    def _mlp(inputs: int, dropout: float) -> nn.Sequential:
        layers: list[nn.Module] = []
        for wide in (inputs, 128):
            layers += [nn.Linear(wide, 128), nn.ReLU(), nn.Dropout(dropout), nn.LayerNorm(128)]
        return nn.Sequential(*layers)

    def forward(self, cells: Tensor, clinical: Tensor) -> Tensor:
        weights = torch.softmax(self.w(torch.tanh(self.V(cells))), dim=0)
        bag = (weights * cells).sum(dim=0)
        logit: Tensor = self.last(torch.cat([self.bag_mlp(bag), self.clinical_mlp(clinical)]))
        return logit[0]

    def take(self, network: Committee, member: int) -> None:
        """Start with the weights of one of our networks."""
        state = {name: value[member] for name, value in network.state_dict().items()}
        names = {"V.weight": "aggregation.V", "w.weight": "aggregation.w"}
        for mlp in ("bag_mlp", "clinical_mlp"):
            for layer in (0, 1):
                for ours, theirs in (("weight", "weight"), ("bias", "bias")):
                    names[f"{mlp}.{4 * layer}.{theirs}"] = f"{mlp}.linears.{layer}.{ours}"
                for ours, theirs in (("gain", "weight"), ("bias", "bias")):
                    names[f"{mlp}.{4 * layer + 3}.{theirs}"] = f"{mlp}.norms.{layer}.{ours}"
        names |= {"last.weight": "last.weight", "last.bias": "last.bias"}
        own = {name: value.shape for name, value in self.state_dict().items()}
        self.load_state_dict({name: state[ours].reshape(own[name]) for name, ours in names.items()})


@dataclass(frozen=True)
class Setting:
    """Patients, who is what to each of the 35 networks, and how they move."""

    examples: Examples
    plan: Plan
    batch_bags: int
    dropout: float
    learning_rate: float = 1e-4

    def of(self, members: list[int]) -> "Setting":
        """The setting of these networks of one fold alone."""
        group = self.plan.group_of[members[0]]
        inputs, costs = [self.examples.inputs[group]], self.examples.costs[group : group + 1]
        examples = Examples(inputs, self.examples.labels, costs)
        plan = replace(self.plan.take(np.array(members)), group_of=np.zeros(len(members), np.int64))
        return replace(self, examples=examples, plan=plan)

    @property
    def taught(self) -> list[NDArray[np.int64]]:
        """The bags from which the networks of each fold learn."""
        firsts = np.unique(self.plan.group_of, return_index=True)[1]
        return [np.flatnonzero(self.plan.learned[first]) for first in firsts]


def setting(features: int, batch_bags: int, dropout: float) -> Setting:
    rng = np.random.default_rng(0)
    labels = (rng.random(PATIENTS) < 0.69).astype(np.int64)
    ids = tuple(str(patient) for patient in range(PATIENTS))
    inputs, parts = [], rng.permutation(PATIENTS) % FOLDS
    held_out = np.zeros((FOLDS, PATIENTS), dtype=np.bool_)
    for fold in range(FOLDS):
        cells = rng.normal(size=(PATIENTS * CELLS, features)).astype(np.float32)
        cells[np.repeat(labels == 1, CELLS), 0] += 0.5
        clinical = torch.from_numpy(rng.normal(size=(PATIENTS, 2)).astype(np.float32))
        inputs.append(Inputs(Bags(cells, np.arange(PATIENTS + 1) * CELLS, ids), clinical))
        training = np.flatnonzero(parts != fold)
        held_out[fold, training] = hold_out(labels[training], 1, rng)[0]
    scored = parts == np.arange(FOLDS)[:, None]
    group_of = np.repeat(np.arange(FOLDS), EXECUTIONS)
    masks = (~(held_out | scored), held_out, scored)
    plan = Plan(group_of, *(mask[group_of] for mask in masks))
    known = torch.from_numpy(labels.astype(np.float32))
    examples = Examples(inputs, known, torch.ones(FOLDS, PATIENTS))
    return Setting(examples, plan, batch_bags, dropout)


def generators(members: list[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(member) for member in members]


def ours(of: Setting, members: list[int], groups: list[int]) -> Epoch:
    """An epoch of these networks; what it leaves is the line of the history."""
    own = generators(members)
    features = of.examples.inputs[0].n_features
    network = Committee(features, 2, REPORT, own)
    optimizer = MemberAdam(network, of.learning_rate, 0.0)
    running, present = np.ones(len(members), dtype=np.bool_), np.unique(of.plan.group_of)
    rngs, taught = [np.random.default_rng(group) for group in groups], of.taught

    def epoch() -> NDArray[np.float64]:
        steps = draw_epoch(taught, present, of.batch_bags, rngs)
        keep = draw_keep(PATIENTS, network.dropout_width, of.dropout, own)
        met = learn(network, optimizer, of.examples, of.plan, running, steps, keep)
        return summary(of.examples, of.plan, met, judge(network, of.examples, of.plan))

    return epoch


def stacked(of: Setting) -> Epoch:
    return ours(of, list(range(FOLDS * EXECUTIONS)), list(range(FOLDS)))


def packed(of: Setting, members: list[int]) -> Epoch:
    """These networks in turn; the lines of the history side by side."""
    epochs = [ours(of.of([member]), [member], [of.plan.group_of[member]]) for member in members]
    return lambda: np.concatenate([epoch() for epoch in epochs], axis=1)


def loop(of: Setting, members: list[int]) -> Epoch:
    """These networks in turn in plain torch; their losses on whom they hold out."""
    epochs = [_plain(of.of([member]), member, of.plan.group_of[member]) for member in members]
    return lambda: np.array([epoch() for epoch in epochs])


def _plain(of: Setting, member: int, group: int) -> Callable[[], float]:
    (inputs,), labels = of.examples.inputs, of.examples.labels
    features = inputs.n_features
    network = PlainNetwork(features, of.dropout)
    network.take(Committee(features, 2, REPORT, generators([member])), 0)
    optimizer = torch.optim.Adam(network.parameters(), lr=of.learning_rate)
    cells = torch.from_numpy(inputs.bags.instances).view(PATIENTS, CELLS, features)
    rng, taught = np.random.default_rng(group), of.taught[0]
    held_out = np.flatnonzero(of.plan.held_out[0])
    watched = np.flatnonzero(of.plan.held_out[0] | of.plan.scored[0])

    def epoch() -> float:
        network.train()
        for bag in rng.permutation(taught):
            logit = network(cells[bag], inputs.clinical[bag])
            optimizer.zero_grad()
            torch.autograd.backward(binary_cross_entropy_with_logits(logit, labels[bag]))
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            logits = torch.stack([network(cells[bag], inputs.clinical[bag]) for bag in watched])
            own = torch.from_numpy(np.isin(watched, held_out))
            known = labels[torch.from_numpy(watched)]
            return float(binary_cross_entropy_with_logits(logits[own], known[own]))

    return epoch


def fastest(epoch: Epoch, epochs: int) -> float:
    """Seconds of the fastest epoch, after one to warm up."""
    epoch()
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def apart(features: int, epochs: int) -> tuple[float, float]:
    """The largest relative difference of a loss, stacked to packed and stacked to loop."""
    some = [0, 8, 34]
    of = setting(features, batch_bags=16, dropout=0.05)
    stack, turn = stacked(of), packed(of, some)
    ends = [(stack()[::2, some], turn()[::2]) for _ in range(epochs)]
    first_fold = list(range(EXECUTIONS))
    of = setting(features, batch_bags=1, dropout=0.0).of(first_fold)
    stack, plain = ours(of, first_fold, [0]), loop(of, first_fold[:2])
    return max(_relative(*pair) for pair in ends), _relative(stack()[2, :2], plain())


def _relative(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.abs(one / other - 1.0).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--features", type=int, nargs="+", default=[100, 3000])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    n = FOLDS * EXECUTIONS
    for features in arguments.features:
        of = setting(features, batch_bags=16, dropout=0.05)
        one_loop = fastest(loop(of, [0]), 1)
        in_turn = fastest(packed(of, list(range(n))), arguments.epochs)
        at_once = fastest(stacked(of), arguments.epochs)
        to_packed, to_loop = apart(features, epochs=3)
        print(f"{features} features, {n} networks, {arguments.threads} threads: seconds an epoch")
        print(f"  loop     {n * one_loop:7.2f}   {n * one_loop / at_once:5.1f} times stacked")
        print(f"  packed   {in_turn:7.2f}   {in_turn / at_once:5.2f} times stacked")
        print(f"  stacked  {at_once:7.2f}")
        print(f"  losses apart: to packed {to_packed:.0e}, a bag a step to loop {to_loop:.0e}")


if __name__ == "__main__":
    main()
