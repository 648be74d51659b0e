"""The maximum-margin hyperplane between positive cells and all cells of negative bags, exactly.

Minimise over w and b

    1/2 |w|^2 + penalty * (sum over positive cells of max(0, 1 - (w . x + b))
                           + sum over negative bags of max(0, 1 + highest (w . x + b) of its cells))

Only the few cells of a negative bag that reach its highest score matter, so the program is solved
over a working set of cells; one product with all cells then shows which others violate the
solution, and those are added. No matrix of all cells by all cells is ever held: memory grows with
the cells, and so does time, somewhat more slowly up to 30,000 cells and faster beyond
(benchmarks/mi_svm_growth.py). The result carries its proof: the dual variables of the working set
are feasible for all cells, so their dual objective bounds the optimum from below.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.segments import bag_of, segment_max, segment_mean
from lymphokit.solvers.slack_program import Floats, SlackProgram, Solution, solve

_CELLS_AT_ONCE = 5  # of a bag that join the working set in one round
_VIOLATION = 1e-9  # margins by which a cell must score above the working set to join it
_NEAR = 0.5  # margins within which an inactive cell stays for the next separation
_EQUAL = 1e-12  # relative difference of two objectives that are the same
_JUST_ABOVE_1 = 1.0 + 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Separation:
    """A hyperplane w . x + b, its objective over all cells, and a proven bound of the optimum.

    weights (d,), bias, objective, bound <= the optimum; positive_duals (n_positives,) and
    negative_duals (n_cells,): feasible dual variables whose dual objective is the bound; rounds
    of the working set, working: cells in it at the end.
    """

    weights: Floats
    bias: float
    objective: float
    bound: float
    positive_duals: Floats
    negative_duals: Floats
    rounds: int = 0
    working: int = 0

    @property
    def gap(self) -> float:
        """How far the objective may be from the optimum, relative to it."""
        return (self.objective - self.bound) / self.objective


class MaxMargin:
    """Separates one set of positive cells after another from the same negative bags.

    cells (n_cells, d) of the negative bags, packed by offsets (n_bags + 1,); penalty positive.
    Each call starts from the solution of the call before, so the positive cells of both stand for
    the same bags.
    Raises ValueError where a feature is not finite or the penalty not positive.
    """

    def __init__(
        self, cells: NDArray[np.floating], offsets: NDArray[np.int64], penalty: float
    ) -> None:
        if not penalty > 0:
            raise ValueError(f"the penalty is {penalty}, which is not positive")
        self._cells = _finite(cells)
        self._offsets, self._bag_of = offsets, bag_of(offsets)
        self._penalty = penalty
        self._working = np.zeros(0, dtype=np.int64)  # ascending, so bag after bag
        self._solution: Solution | None = None

    def separate(self, representatives: NDArray[np.floating]) -> Separation:
        """The optimal hyperplane for these positive cells (n_positives, d)."""
        positives = _finite(representatives)
        if not len(self._working):
            self._working = self._first_cells(positives)
        rounds = 0
        while True:
            rounds += 1
            program = self._program(positives)
            self._solution = solve(program, self._solution)
            duals = program.feasible(self._solution.duals)
            weights = duals @ program.rows
            scores = self._cells @ weights
            violators = self._violators(scores, self._solution.bias)
            if not len(violators):
                break
            self._solution = self._add(violators, self._solution)
        separation = self._proven(positives, duals, weights)
        separation = replace(separation, rounds=rounds, working=len(self._working))
        self._solution = self._drop_idle(scores, self._solution)
        return separation

    def _program(self, positives: Floats) -> SlackProgram:
        """Positive cells first, each a group, then the working cells, a group for each bag."""
        n_positives, n_working = len(positives), len(self._working)
        ends = np.searchsorted(self._working, self._offsets[1:])
        return SlackProgram(
            rows=np.concatenate([positives, -self._cells[self._working]]),
            signs=np.repeat([1.0, -1.0], [n_positives, n_working]),
            offsets=np.concatenate([np.arange(n_positives + 1), n_positives + ends]),
            penalty=self._penalty,
        )

    def _first_cells(self, positives: Floats) -> NDArray[np.int64]:
        """The cells of each bag that are furthest along the difference of means."""
        towards = positives.mean(axis=0) - segment_mean(self._cells, self._offsets).mean(axis=0)
        return self._highest(self._cells @ towards, np.arange(len(self._cells)))

    def _highest(self, scores: Floats, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """The few highest of each bag among these cells, ascending."""
        order = among[np.lexsort((-scores[among], self._bag_of[among]))]
        bags = self._bag_of[order]
        rank = np.arange(len(order)) - np.searchsorted(bags, bags)
        return np.sort(order[rank < _CELLS_AT_ONCE])

    def _violators(self, scores: Floats, bias: float) -> NDArray[np.int64]:
        """The highest cells that would raise the slack of their bag.

        They score above the working cells of the bag and lie within the margin, at > -1 - bias.
        """
        ends = np.searchsorted(self._working, self._offsets)
        known = np.maximum(segment_max(scores[self._working], ends), -1.0 - bias) + _VIOLATION
        above = scores > known[self._bag_of]
        above[self._working] = False
        return self._highest(scores, np.flatnonzero(above))

    def _add(self, cells: NDArray[np.int64], solution: Solution) -> Solution:
        """Add cells to the working set, as active rows with dual variables of 0."""
        places = np.searchsorted(self._working, cells)
        rows = places + len(solution.duals) - len(self._working)
        self._working = np.insert(self._working, places, cells)
        return replace(
            solution,
            duals=np.insert(solution.duals, rows, 0.0),
            active=np.insert(solution.active, rows, True),
        )

    def _drop_idle(self, scores: Floats, solution: Solution) -> Solution:
        """Drop the working cells far below their margin; every bag keeps its highest."""
        known = scores[self._working]
        ends = np.searchsorted(self._working, self._offsets)
        highest = segment_max(known, ends)[self._bag_of[self._working]]
        n_positives = len(solution.active) - len(known)
        is_near = (known + solution.bias > -1.0 - _NEAR) | (known == highest)
        stays = solution.active[n_positives:] | is_near
        rows = np.concatenate([np.ones(n_positives, dtype=bool), stays])
        self._working = self._working[stays]
        return replace(solution, duals=solution.duals[rows], active=solution.active[rows])

    def _proven(self, positives: Floats, duals: Floats, weights: Floats) -> Separation:
        """The best hyperplane along these weights over all cells, and the dual bound."""
        positive_scores = positives @ weights
        highest = segment_max(self._cells @ weights, self._offsets)
        half, total = 0.5 * float(weights @ weights), float(duals.sum())
        # share * duals is feasible for any share up to 1, with the dual objective
        # share * total - share^2 * half; its maximum is at total / (2 half), at the optimum 1.
        share = min(1.0, 0.5 * total / half) if half > 0 else 1.0
        length, bias, objective = self._best_length(
            half, positive_scores, np.asarray(highest, dtype=np.float64)
        )
        negative_duals = np.zeros(len(self._cells))
        negative_duals[self._working] = share * duals[len(positives) :]
        return Separation(
            weights=length * weights,
            bias=bias,
            objective=objective,
            bound=share * total - share**2 * half,
            positive_duals=share * duals[: len(positives)],
            negative_duals=negative_duals,
        )

    def _best_length(
        self, half: float, positive_scores: Floats, highest: Floats
    ) -> tuple[float, float, float]:
        """Length, bias and objective of the best of three hyperplanes along one direction.

        The hyperplane as it is; lengthened until rounding leaves no hinge, since under a large
        penalty a margin missed by the last digit has a price; and w = 0, which is the optimum
        where a large penalty cannot separate anything.
        half: 1/2 |w|^2; positive_scores: w . x of positive cells; highest: of each negative bag.
        """

        def cost(length: float, bias: float) -> float:
            margins = np.concatenate([length * positive_scores + bias, -length * highest - bias])
            hinges = float(np.maximum(1.0 - margins, 0.0).sum())
            return length**2 * half + self._penalty * hinges

        bias = best_bias(positive_scores, highest)
        smallest = min(float(positive_scores.min()) + bias, -float(highest.max()) - bias)
        stretch = _JUST_ABOVE_1 / smallest if 0.0 < smallest < 1.0 else 1.0
        bias_alone = best_bias(np.zeros_like(positive_scores), np.zeros_like(highest))
        hyperplanes = [(0.0, bias_alone), (1.0, bias), (stretch, stretch * bias)]
        costs = [cost(*hyperplane) for hyperplane in hyperplanes]
        best = 0 if costs[0] <= min(costs) * (1.0 + _EQUAL) else int(np.argmin(costs))
        return *hyperplanes[best], costs[best]


def best_bias(positive_scores: Floats, negative_scores: Floats) -> float:
    """The bias with the least sum of hinges, given w . x of positives and highest of negatives.

    The sum is piecewise linear in the bias, with slope -n_positives before its first knot and one
    more after each, so it is flat between two neighbouring knots. Their middle is taken: where
    several biases are optimal, the choice does not depend on the path that led to w.
    """
    knots = np.sort(np.concatenate([1.0 - positive_scores, -1.0 - negative_scores]))
    flat = len(positive_scores)
    return float(0.5 * (knots[flat - 1] + knots[flat]))


def _finite(cells: NDArray[np.floating]) -> Floats:
    if not np.isfinite(cells).all():
        raise ValueError("a cell has a feature that is not a finite number")
    return np.ascontiguousarray(cells, dtype=np.float64)
