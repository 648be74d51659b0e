"""The quadratic programme of a maximum margin whose cells share slacks, and what bounds it.

Minimise  1/2 |w|^2 + penalty * sum_g slack_g  over w, b and slacks >= 0,
subject to  sign_k (w . x_k + b) >= 1 - slack_g  for every row k of slack g.

A positive bag is one row with a slack of its own; a negative bag is many rows with one slack.
Its dual has a multiplier a_k >= 0 a row, and at the optimum w = sum_k a_k sign_k x_k.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpstrf

from lymphokit.bags.segments import bag_of, segment_max, segment_sum

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SlackProgram:
    """The rows that share slacks, packed slack after slack.

    rows (m, r): sign_k x_k, signs (m,) of +-1 and equal within a slack, offsets (n_slacks + 1,),
    penalty: the price of a unit of slack, positive. Both signs occur.
    """

    rows: Floats
    signs: Floats
    offsets: NDArray[np.int64]
    penalty: float

    @cached_property
    def slack_of(self) -> NDArray[np.int64]:
        """The slack of every row: (m,)."""
        return bag_of(self.offsets)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each slack: (n_slacks,)."""
        return np.diff(self.offsets)

    @cached_property
    def planes(self) -> Floats:
        """The rows as they act on (w, b): (m, r + 1)."""
        return np.column_stack([self.rows, self.signs])

    @cached_property
    def shared(self) -> NDArray[np.intp]:
        """The rows that share their slack with others, ascending."""
        return np.flatnonzero(self.sizes[self.slack_of] > 1)

    @cached_property
    def reach(self) -> float:
        """The length of the longest row."""
        return float(np.sqrt(np.einsum("ij,ij->i", self.rows, self.rows).max()))

    def by_slack(self, values: Floats) -> Floats:
        """Sum over the rows of each slack: (m, ...) -> (n_slacks, ...)."""
        return np.asarray(segment_sum(values, self.offsets), dtype=np.float64)

    def highest(self, values: Floats) -> Floats:
        """Highest over the rows of each slack: (m,) -> (n_slacks,)."""
        return np.asarray(segment_max(values, self.offsets), dtype=np.float64)

    def feasible(self, multipliers: Floats) -> Floats:
        """The multipliers moved the little that makes them feasible in the dual.

        Not negative, no slack's sum above the penalty, as much on either sign. Whatever goes in,
        the dual objective of what comes out is a lower bound of the programme.
        """
        kept = np.maximum(multipliers, 0.0)
        kept /= np.maximum(1.0, self.by_slack(kept) / self.penalty)[self.slack_of]
        is_positive = self.signs > 0
        positive, negative = kept[is_positive].sum(), kept[~is_positive].sum()
        lighter = min(positive, negative)
        kept[is_positive] *= lighter / positive if positive > 0 else 0.0
        kept[~is_positive] *= lighter / negative if negative > 0 else 0.0
        return kept


def best_bias(positive_scores: Floats, negative_scores: Floats) -> float:
    """The bias that costs the least hinge, given w . x of positives and highest w . x of negatives.

    The cost is piecewise linear in the bias, with slope -n_positives before its first knot and one
    more after each, so the flat stretch lies between two neighbouring knots. Its middle is taken:
    where several biases are optimal, none of them depends on the path that led to w.
    """
    knots = np.sort(np.concatenate([1.0 - positive_scores, -1.0 - negative_scores]))
    flat = len(positive_scores)
    return float(0.5 * (knots[flat - 1] + knots[flat]))


def in_few_coordinates(rows: Floats) -> Floats:
    """Rows (m, d) with the same inner products in at most min(m, d) coordinates.

    The programme depends on inner products alone, so with fewer rows than features the Cholesky
    factor of their Gram matrix serves as well; pivoted, it is safe for rows that repeat.
    """
    m, d = rows.shape
    if d <= m:
        return rows
    factor, pivots, rank, _ = dpstrf(rows @ rows.T, lower=1)
    kept = max(1, rank)  # cells that are all 0 still have a coordinate
    short = np.empty((m, kept))
    short[pivots - 1] = np.tril(factor)[:, :kept]
    return short
