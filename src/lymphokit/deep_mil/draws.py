"""What is drawn for networks side by side: whom each holds out, when it meets whom, its dropout."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_CHUNK_CELLS = 1024  # cells that pass through the networks at once outside training
_PARTS_FOR_ONE = 5  # a single network stops early on a fifth of its patients

Booleans = NDArray[np.bool_]
Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """The bags that each group meets at once.

    chosen (G, B) positions. A group that has fewer bags left than another meets its first ones
    again; `real` (G, B) says where it does not, and only those count.
    """

    chosen: Positions
    real: Booleans


def hold_out(labels: NDArray[np.int64], members: int, rng: np.random.Generator) -> Booleans:
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
    held_out: Booleans = part == np.arange(members)[:, None]
    return held_out


def draw_epoch(
    taught: Sequence[Positions],
    present: Positions,
    batch_bags: int,
    rngs: Sequence[np.random.Generator],
) -> list[Step]:
    """Each group's bags in an order of its own, `batch_bags` at a time.

    taught: the bags of each group; present: the groups that still have networks.
    """
    orders = [
        rngs[group].permutation(bags) if group in present else bags
        for group, bags in enumerate(taught)
    ]
    return side_by_side(orders, present, batch_bags)


def side_by_side(orders: Sequence[Positions], present: Positions, at_once: int) -> list[Step]:
    """Steps through each group's bags; those of absent groups are not to be looked at."""
    longest = max(len(orders[group]) for group in present)
    chosen = np.stack([np.resize(order, longest) for order in orders])
    real = np.arange(longest) < np.array([len(order) for order in orders])[:, None]
    cuts = range(at_once, longest, at_once)
    return [
        Step(*parts)
        for parts in zip(np.split(chosen, cuts, 1), np.split(real, cuts, 1), strict=True)
    ]


def draw_keep(
    n_bags: int, units: int, dropout: float, generators: Sequence[torch.Generator]
) -> Tensor | None:
    """An epoch's dropout factors (M, n_bags, units), each network's from its generator.

    Drawn for bags and not for steps, so that they do not depend on who shares a step.
    """
    if dropout == 0:
        return None
    rows = [torch.rand((n_bags, units), generator=generator) for generator in generators]
    return (torch.stack(rows) >= dropout) / (1.0 - dropout)


def chunks(sizes: Positions, cells: int = _CHUNK_CELLS) -> Iterator[Positions]:
    """Positions of consecutive bags, so many that all but the last hold fewer than `cells`."""
    chunk = (np.cumsum(sizes) - sizes) // cells
    yield from np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(chunk)) + 1)
