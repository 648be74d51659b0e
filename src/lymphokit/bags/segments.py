"""Reductions over the cells of each bag, for packed bags.

Functions on arrays take cells packed bag after bag and `offsets` (n_bags + 1,), where the cells of
bag i are `offsets[i]:offsets[i + 1]`; those on tensors take the bag index of every cell instead.
No bag may be empty, which `Bags` checks: `reduceat` would return a cell of the next bag.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # models without a network must not wait for the import of torch
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
    """Population standard deviation over each bag, as `segment_mean`; 0 for a bag of one cell."""
    centred = cells - segment_mean(cells, offsets)[bag_of(offsets)]
    return np.asarray(np.sqrt(segment_mean(centred**2, offsets)))


def segment_max(cells: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.floating]:
    """Maximum over each bag: (n_cells, ...) -> (n_bags, ...)."""
    return np.asarray(np.maximum.reduceat(cells, offsets[:-1], axis=0))


def segment_argmax(scores: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position among all cells of each bag's highest score: (n_cells,) -> (n_bags,).

    Of equal scores the first counts.
    """
    is_best = scores == segment_max(scores, offsets)[bag_of(offsets)]
    candidates = np.where(is_best, np.arange(len(scores)), len(scores))
    return np.minimum.reduceat(candidates, offsets[:-1])


def tensor_segment_sum(cells: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Sum over each bag along dim 0: cells (n_cells, ...), index (n_cells,) -> (n_bags, ...)."""
    return cells.new_zeros((n_bags, *cells.shape[1:])).index_add(0, index, cells)


def tensor_segment_mean(cells: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Mean over each bag along dim 0: (n_cells, d) -> (n_bags, d)."""
    return tensor_segment_sum(cells, index, n_bags) / index.bincount(minlength=n_bags)[:, None]


def tensor_segment_std(cells: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Population standard deviation over each bag along dim 0; 0 for a bag of one cell."""
    centred = cells - tensor_segment_mean(cells, index, n_bags)[index]
    return tensor_segment_mean(centred**2, index, n_bags).sqrt()


def tensor_segment_max(cells: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Maximum over each bag along dim 0: (n_cells, ...) -> (n_bags, ...)."""
    wide = index.reshape(-1, *(1,) * (cells.ndim - 1)).expand_as(cells)
    lowest = cells.new_full((n_bags, *cells.shape[1:]), -np.inf)
    return lowest.scatter_reduce(0, wide, cells, "amax")


def tensor_segment_softmax(scores: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """Softmax within each bag: scores (n_cells,), index (n_cells,) -> (n_cells,)."""
    if n_bags == 1:
        return scores.softmax(dim=0)
    highest = tensor_segment_max(scores.detach(), index, n_bags)
    # `index_select`, since the gradient of `[index]` is several times as slow.
    powers = (scores - highest.index_select(0, index)).exp()
    return powers / tensor_segment_sum(powers, index, n_bags).index_select(0, index)


def tensor_segment_dot(
    weights: "Tensor", cells: "Tensor", index: "Tensor", n_bags: int
) -> "Tensor":
    """Weighted sum over each bag: weights (n_cells,), cells (n_cells, d) -> (n_bags, d).

    index (n_cells,) ascending, and no bag empty. `embedding_bag` reads each cell once. The product
    of a matrix (n_bags, n_cells) with the cells reads them as often but multiplies n_bags times as
    much: with 16 bags of 86 cells and 512 features, forward and gradient take 2.7 times as long.
    """
    import torch
    from torch.nn.functional import embedding_bag

    if n_bags == 1:
        return weights.unsqueeze(0) @ cells
    sizes = index.bincount(minlength=n_bags)
    rows = torch.arange(len(cells), device=cells.device)
    return embedding_bag(
        rows, cells, sizes.cumsum(0) - sizes, per_sample_weights=weights, mode="sum"
    )


def tensor_segment_rows(values: "Tensor", index: "Tensor", n_bags: int) -> "Tensor":
    """A matrix (..., n_bags, n_cells) with a row for each bag: -inf at the cells of other bags.

    values (n_cells,) or (..., 1, n_cells), or (..., n_bags, n_cells) where they differ by bag.
    A softmax of the rows is a softmax within each bag.
    """
    import torch

    bags = torch.arange(n_bags, device=index.device).unsqueeze(1)
    return torch.where(index == bags, values, -np.inf)
