"""A few cells of each bag: drawn at random, or those that come first in an order."""

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.bags.segments import bag_of


def few_of_each(
    offsets: NDArray[np.int64], most: int, keys: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Positions of the cells of each bag with the lowest keys (n_cells,), at most so many a bag.

    Ascending, so bag after bag. Random keys draw cells without replacement.
    """
    owners = bag_of(offsets)
    order = np.lexsort((keys, owners))
    rank = np.arange(len(order)) - offsets[owners]
    return np.sort(order[rank < most])


def thin(bags: Bags, most: int, rng: np.random.Generator) -> Bags:
    """The same bags with at most so many cells each, drawn at random."""
    kept = few_of_each(bags.offsets, most, rng.random(len(bags.instances)))
    return Bags(bags.instances[kept], np.searchsorted(kept, bags.offsets), bags.ids)
