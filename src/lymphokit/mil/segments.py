"""Reductions over the cells of each bag, for packed bags: the one place that knows how.

Every function takes cells packed bag after bag and `offsets` (n_bags + 1,), where the cells of
bag i are `offsets[i]:offsets[i + 1]`. No bag may be empty; `Bags` sees to that.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # models without a network should not wait for torch to be imported
    from torch import Tensor


def bag_of(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bag index of every cell, ascending: (n_cells,)."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def segment_sum(cells: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.floating]:
    """Sum over each bag: (n_cells, ...) -> (n_bags, ...)."""
    return np.asarray(np.add.reduceat(cells, offsets[:-1], axis=0))


def segment_mean(cells: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.floating]:
    """Mean over each bag: (n_cells, ...) -> (n_bags, ...)."""
    sizes = np.diff(offsets).reshape((-1,) + (1,) * (cells.ndim - 1))
    return np.asarray(segment_sum(cells, offsets) / sizes)


def segment_std(cells: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.floating]:
    """Population standard deviation over each bag; 0 for a bag of one cell."""
    centred = cells - segment_mean(cells, offsets)[bag_of(offsets)]
    return np.asarray(np.sqrt(segment_mean(centred**2, offsets)))


def segment_max(cells: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.floating]:
    """Maximum over each bag: (n_cells, ...) -> (n_bags, ...)."""
    return np.asarray(np.maximum.reduceat(cells, offsets[:-1], axis=0))


def segment_argmax(scores: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index, into all cells, of each bag's highest score (n_cells,) -> (n_bags,); first of ties."""
    is_best = scores == segment_max(scores, offsets)[bag_of(offsets)]
    candidates = np.where(is_best, np.arange(len(scores)), len(scores))
    return np.minimum.reduceat(candidates, offsets[:-1])


def tensor_segment_sum(cells: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Sum over each bag along dim 0: cells (n_cells, ...), index (n_cells,) -> (n_bags, ...)."""
    return cells.new_zeros((n_bags, *cells.shape[1:])).index_add(0, index, cells)


def tensor_segment_softmax(scores: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Softmax within each bag along dim 0: scores (n_cells, ...) -> the same shape.

    Shifted by each bag's maximum, so large scores do not overflow.
    """
    trailing = scores.shape[1:]
    wide = index.reshape(-1, *(1,) * len(trailing)).expand_as(scores)
    highest = scores.new_full((n_bags, *trailing), -np.inf)
    highest = highest.scatter_reduce(0, wide, scores.detach(), "amax")
    weights = (scores - highest[index]).exp()
    return weights / tensor_segment_sum(weights, index, n_bags)[index]
