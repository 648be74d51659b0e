"""The maximum-margin plane between positive cells and all cells of negative bags, exactly.

Minimise over w and b

    1/2 |w|^2 + penalty * (sum over positive cells of max(0, 1 - (w . x + b))
                           + sum over negative bags of max(0, 1 + highest (w . x + b) of its cells))

Only the few cells of a negative bag that reach its highest score matter, so the programme is
solved over a working set of cells, exactly; one product with all cells then shows which others
are violated, and those join. No matrix of all cells by all cells is ever held, and the answer
carries its proof: the multipliers of the working set are feasible for all cells, so their dual
objective bounds the optimum from below.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.segments import bag_of, segment_max, segment_mean
from lymphokit.solvers.active_set import Vertex, finish, guess
from lymphokit.solvers.interior_point import centre, descend
from lymphokit.solvers.slack_program import Floats, SlackProgram, best_bias, in_few_coordinates

_FEW = 5  # cells of a bag that join the working set at once
_VIOLATED = 1e-9  # margins above what a working set knows
_NEAR = 0.5  # margins within which an idle cell stays for the next solve
_ROUGH, _FINE = 1e-6, 1e-12  # errors at which an interior point is left to the exact end
_EQUAL = 1e-12  # relative difference of two objectives that are the same
_ULPS = 1.0 + 4.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Separation:
    """A plane w . x + b, what it costs over all cells, and the proof that little less is possible.

    weights (d,), bias, objective, bound <= the optimum, of_positives (n_positives,) and
    of_negatives (n_cells,) the multipliers behind the bound, rounds of the working set and
    the working cells at its end.
    """

    weights: Floats
    bias: float
    objective: float
    bound: float
    of_positives: Floats
    of_negatives: Floats
    rounds: int = 0
    working: int = 0

    @property
    def gap(self) -> float:
        """How far the objective may be from the optimum, relative to it."""
        return (self.objective - self.bound) / self.objective


class MaxMargin:
    """Separates one positive set after another from the same negative bags, ever warmer.

    cells (n_cells, d) of the negative bags, packed by offsets (n_bags + 1,); penalty positive.
    The positives of one call stand for the same bags as those of the call before.
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
        self._vertex: Vertex | None = None

    def separate(self, representatives: NDArray[np.floating]) -> Separation:
        """The optimal plane for these positive cells (n_positives, d)."""
        positives = _finite(representatives)
        if not len(self._working):
            self._working = self._seeds(positives)
        rounds = 0
        while True:
            rounds += 1
            program = self._program(positives)
            in_few = replace(program, rows=in_few_coordinates(program.rows))
            self._vertex = _settled(in_few, self._vertex)
            multipliers = program.feasible(self._vertex.multipliers)
            weights = multipliers @ program.rows
            scores = self._cells @ weights
            violators = self._violators(scores, self._vertex.bias)
            if not len(violators):
                break
            self._vertex = self._take_in(violators, self._vertex)
        separation = self._judged(positives, multipliers, weights)
        separation = replace(separation, rounds=rounds, working=len(self._working))
        self._vertex = self._let_go(scores, self._vertex)
        return separation

    def _program(self, positives: Floats) -> SlackProgram:
        """Positives first, each with a slack of its own, then the working cells by bag."""
        n_positives, n_working = len(positives), len(self._working)
        ends = np.searchsorted(self._working, self._offsets[1:])
        return SlackProgram(
            rows=np.concatenate([positives, -self._cells[self._working]]),
            signs=np.repeat([1.0, -1.0], [n_positives, n_working]),
            offsets=np.concatenate([np.arange(n_positives + 1), n_positives + ends]),
            penalty=self._penalty,
        )

    def _seeds(self, positives: Floats) -> NDArray[np.int64]:
        """The cells of each bag that lie furthest towards the positives."""
        towards = positives.mean(axis=0) - segment_mean(self._cells, self._offsets).mean(axis=0)
        return self._highest(self._cells @ towards, np.arange(len(self._cells)))

    def _highest(self, scores: Floats, among: NDArray[np.int64]) -> NDArray[np.int64]:
        """The few highest of each bag among these cells, ascending."""
        order = among[np.lexsort((-scores[among], self._bag_of[among]))]
        bags = self._bag_of[order]
        rank = np.arange(len(order)) - np.searchsorted(bags, bags)
        return np.sort(order[rank < _FEW])

    def _violators(self, scores: Floats, bias: float) -> NDArray[np.int64]:
        """The cells that score above all that the working set knows of their bag, the worst few."""
        ends = np.searchsorted(self._working, self._offsets)
        known = np.maximum(segment_max(scores[self._working], ends), -1.0 - bias) + _VIOLATED
        above = scores > known[self._bag_of]
        above[self._working] = False
        return self._highest(scores, np.flatnonzero(above))

    def _take_in(self, cells: NDArray[np.int64], vertex: Vertex) -> Vertex:
        """Add cells to the working set, as rows that may get a multiplier."""
        places = np.searchsorted(self._working, cells)
        rows = places + len(vertex.multipliers) - len(self._working)
        self._working = np.insert(self._working, places, cells)
        return replace(
            vertex,
            multipliers=np.insert(vertex.multipliers, rows, 0.0),
            active=np.insert(vertex.active, rows, True),
        )

    def _let_go(self, scores: Floats, vertex: Vertex) -> Vertex:
        """Drop the working cells that are far from mattering; every bag keeps its highest."""
        known = scores[self._working]
        ends = np.searchsorted(self._working, self._offsets)
        highest = segment_max(known, ends)[self._bag_of[self._working]]
        n_positives = len(vertex.active) - len(known)
        is_near = (known + vertex.bias > -1.0 - _NEAR) | (known == highest)
        keeps = vertex.active[n_positives:] | is_near
        rows = np.concatenate([np.ones(n_positives, dtype=bool), keeps])
        self._working = self._working[keeps]
        return replace(vertex, multipliers=vertex.multipliers[rows], active=vertex.active[rows])

    def _judged(self, positives: Floats, multipliers: Floats, weights: Floats) -> Separation:
        """The plane along these weights that costs least over all cells, and the dual bound."""
        ours = positives @ weights
        theirs = np.asarray(segment_max(self._cells @ weights, self._offsets), dtype=np.float64)
        half, spent = 0.5 * float(weights @ weights), float(multipliers.sum())
        # Any share of feasible multipliers is feasible; at the optimum the best share is all.
        share = min(1.0, 0.5 * spent / half) if half > 0 else 1.0
        length, bias, objective = self._cheapest(half, ours, theirs)
        of_negatives = np.zeros(len(self._cells))
        of_negatives[self._working] = share * multipliers[len(positives) :]
        return Separation(
            weights=length * weights,
            bias=bias,
            objective=objective,
            bound=share * spent - share**2 * half,
            of_positives=share * multipliers[: len(positives)],
            of_negatives=of_negatives,
        )

    def _cheapest(self, half: float, ours: Floats, theirs: Floats) -> tuple[float, float, float]:
        """Length, bias and objective of the best of three planes along one direction.

        The plane as it is; lengthened until rounding leaves no hinge, since a bag that misses its
        margin by the last digit costs the penalty times that digit; and none at all, which is
        where a huge penalty cannot separate anything.
        """

        def cost(length: float, bias: float) -> float:
            margins = np.concatenate([length * ours + bias, -length * theirs - bias])
            hinges = float(np.maximum(1.0 - margins, 0.0).sum())
            return length**2 * half + self._penalty * hinges

        bias = best_bias(ours, theirs)
        smallest = min(float(ours.min()) + bias, -float(theirs.max()) - bias)
        stretch = _ULPS / smallest if 0.0 < smallest < 1.0 else 1.0
        nothing = best_bias(np.zeros_like(ours), np.zeros_like(theirs))
        planes = [(0.0, nothing), (1.0, bias), (stretch, stretch * bias)]
        costs = [cost(*plane) for plane in planes]
        best = 0 if costs[0] <= min(costs) * (1.0 + _EQUAL) else int(np.argmin(costs))
        return *planes[best], costs[best]


def _finite(cells: NDArray[np.floating]) -> Floats:
    if not np.isfinite(cells).all():
        raise ValueError("a cell has a feature that is not a finite number")
    return np.ascontiguousarray(cells, dtype=np.float64)


def _settled(program: SlackProgram, start: Vertex | None) -> Vertex:
    """The optimum of a working set: at once if `start` nearly is it, else by an interior point.

    Where no exact end exists (a bias that nothing fixes, say), the interior point itself, run
    until its digits are spent.
    """
    if start is not None:
        exact = finish(program, start)
        if exact is not None:
            return exact
    rough = descend(program, centre(program, wide=False), _ROUGH)
    exact = finish(program, guess(program, rough.point))
    if exact is not None:
        return exact
    fine = descend(program, rough.point, _FINE)
    if fine.error > _FINE:
        wide = descend(program, centre(program, wide=True), _FINE)
        fine = min(fine, wide, key=lambda descent: descent.error)
    best = guess(program, fine.point)
    return finish(program, best) or best
