"""D-MIL's members side by side against a loop over members in plain torch, one bag a step.

Both learn from the same 97 bags of 40 cells (a training part of the competition), four members,
each from three quarters of the bags. Prints seconds an epoch and the ratio.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from lymphokit.mil.attention import Attention, Committee
from lymphokit.mil.bags import Bags
from lymphokit.mil.committee import (
    Examples,
    Inputs,
    MemberAdam,
    draw_keep,
    draw_steps,
    hold_out,
    learn,
)

BAGS, CELLS, MEMBERS, DROPOUT = 97, 40, 4, 0.05


class PlainNetwork(nn.Module):
    """The report's network as a user would write it, for one bag."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.Linear(features, 64, bias=False), nn.Tanh(), nn.Linear(64, 1, bias=False)
        )
        self.bag_mlp = self._mlp(features)
        self.clinical_mlp = self._mlp(2)
        self.last = nn.Linear(256, 1)

    @staticmethod
    def _mlp(inputs: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for wide in (inputs, 128):
            layers += [nn.Linear(wide, 128), nn.ReLU(), nn.Dropout(DROPOUT), nn.LayerNorm(128)]
        return nn.Sequential(*layers)

    def forward(self, cells: Tensor, clinical: Tensor) -> Tensor:
        weights = torch.softmax(self.attention(cells), dim=0)
        bag = (weights * cells).sum(dim=0)
        logit: Tensor = self.last(torch.cat([self.bag_mlp(bag), self.clinical_mlp(clinical)]))
        return logit


def cohort(features: int) -> Examples:
    rng = np.random.default_rng(0)
    labels = (rng.random(BAGS) < 0.69).astype(np.float32)
    cells = rng.normal(size=(BAGS * CELLS, features)).astype(np.float32)
    ids = tuple(str(bag) for bag in range(BAGS))
    clinical = torch.from_numpy(rng.normal(size=(BAGS, 2)).astype(np.float32))
    bags = Bags(cells, np.arange(BAGS + 1) * CELLS, ids)
    return Examples(Inputs(bags, clinical), torch.from_numpy(labels), torch.ones(BAGS))


def plain_epoch(examples: Examples, learns: np.ndarray) -> Callable[[], None]:
    features = examples.inputs.bags.instances.shape[1]
    networks = [PlainNetwork(features) for _ in range(MEMBERS)]
    optimizers = [torch.optim.Adam(network.parameters(), lr=1e-6) for network in networks]
    cells = torch.from_numpy(examples.inputs.bags.instances).view(BAGS, CELLS, features)

    def epoch() -> None:
        for network, optimizer, own in zip(networks, optimizers, learns, strict=True):
            for bag in np.random.default_rng(0).permutation(np.flatnonzero(own)):
                logit = network(cells[bag], examples.inputs.clinical[bag])
                loss = nn.functional.binary_cross_entropy_with_logits(
                    logit[0], examples.labels[bag]
                )
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()

    return epoch


def our_epoch(examples: Examples, learns: np.ndarray, batch_bags: int) -> Callable[[], None]:
    own = [torch.Generator().manual_seed(member) for member in range(MEMBERS)]
    features = examples.inputs.bags.instances.shape[1]
    network = Committee(Attention(features, 64, own), [128, 128], [128, 128], 2, own)
    optimizer = MemberAdam(network, 1e-6, 0.0)

    def epoch() -> None:
        steps = draw_steps(np.arange(BAGS), batch_bags, np.random.default_rng(0))
        keep = draw_keep(network, BAGS, DROPOUT, own)
        learn(network, optimizer, examples, torch.from_numpy(learns), steps, keep)

    return epoch


def fastest(epoch: Callable[[], None], epochs: int) -> float:
    """Seconds of the fastest epoch, after one to warm up."""
    epoch()
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for features in (64, 3000):
        examples = cohort(features)
        labels = examples.labels.numpy().astype(np.int64)
        learns = ~hold_out(labels, MEMBERS, np.random.default_rng(0))
        plain = fastest(plain_epoch(examples, learns), arguments.epochs)
        print(f"{features} features, {BAGS} bags x {CELLS} cells, {MEMBERS} members, s an epoch")
        print(f"  loop over members, 1 bag a step   {plain:7.3f}")
        for batch_bags in (1, 16):
            ours = fastest(our_epoch(examples, learns, batch_bags), arguments.epochs)
            print(f"  side by side, {batch_bags:2} bags a step      {ours:7.3f}", end="")
            print(f"   {plain / ours:5.1f} times as fast")


if __name__ == "__main__":
    main()
