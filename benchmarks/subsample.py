"""Subsample the cells of each bag, at random or by the lowest keys."""

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.bags.segments import bag_of


def subsample_cells(
    offsets: NDArray[np.int64], most: int, keys: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Positions of the `most` cells of each bag with the lowest keys (n_cells,), ascending.

    With random keys the cells are drawn without replacement.
    """
    owners = bag_of(offsets)
    order = np.lexsort((keys, owners))
    rank = np.arange(len(order)) - offsets[owners]
    return np.sort(order[rank < most])


def subsample(bags: Bags, most: int, rng: np.random.Generator) -> Bags:
    """The same bags with at most `most` cells each, drawn at random."""
    kept = subsample_cells(bags.offsets, most, rng.random(len(bags.instances)))
    return Bags(bags.instances[kept], np.searchsorted(kept, bags.offsets), bags.ids)
