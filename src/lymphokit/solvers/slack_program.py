"""The quadratic program of a maximum margin whose rows share slacks, and its exact solution.

    minimise    1/2 |w|^2 + penalty * sum_g slack_g            over w, b and slacks >= 0
    subject to  sign_k (w . x_k + b) >= 1 - slack_g            for every row k of group g

A positive bag is a group of one row, a negative bag a group of many rows. The dual program is

    maximise    sum_k dual_k - 1/2 |sum_k dual_k sign_k x_k|^2
    subject to  dual_k >= 0,  sum_k sign_k dual_k = 0,
                sum of dual_k over the rows of a group <= penalty

and at the optimum w = sum_k dual_k sign_k x_k. `solve` finds the optimum in two stages: an
interior-point method shows which constraints are active there; with these as equations, the
optimum is the solution of a linear system, exact to rounding.

Not a stock QP solver: in the same loop over working sets (max_margin.py), cvxopt makes a whole
MI-SVM fit 5 to 6 times as slow (142 bags, 11,638 cells; 3.5 to 4 times with 4,703 cells) and
Clarabel 14 to 16 times (11 to 13). Of 400 small problems full of ties they leave 3 and 39 with a
gap above 1e-7, where `solve` leaves none above 1e-9. cvxopt on all cells, without that loop, is
19 to 21 times as slow (6). As printed by benchmarks/mi_svm.py.

Sources: Mehrotra 1992 (the predictor-corrector method); Ferris and Munson 2002 (its elimination
for support vector machines); Hintermueller, Ito and Kunisch 2002 (the active-set method).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.linalg.lapack import dpotrf, dpotrs, dpstrf

from lymphokit.bags.segments import bag_of, segment_sum

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# The interior-point method.
_ROUGH, _FINE = 1e-6, 1e-12  # errors that are enough for an active set, and where digits run out
_MAX_ITERATIONS = 100
_STEP_TO_BOUND = 0.995  # share of the way to the nearest bound that a step may go
_PATIENCE = 15  # iterations without a better point
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
_SHORTEST = 1e-7  # a step below this means that the digits have run out

# The active-set method.
_MAX_SYSTEMS = 8  # linear systems, each with the wrong signs of the one before corrected
_MOST_ROWS = 2  # active rows per unknown of the primal, above which no system is tried
_REFINEMENTS = 3  # of each solution, with the residual of the system without its ridge
_RIDGE = 1e-12  # of the largest product of two rows: equal rows then share their dual variable
_SIGN = 1e-10  # a wrong sign this small is rounding; relative to the margin or the dual variables


@dataclass(frozen=True)
class SlackProgram:
    """The rows of the program, packed group after group.

    rows (m, r): sign_k x_k; signs (m,) of +-1, equal within a group, and both occur; offsets
    (n_groups + 1,); penalty: the price of a unit of slack, positive.
    """

    rows: Floats
    signs: Floats
    offsets: NDArray[np.int64]
    penalty: float

    @cached_property
    def group_of(self) -> NDArray[np.int64]:
        """The group of every row: (m,)."""
        return bag_of(self.offsets)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each group: (n_groups,)."""
        return np.diff(self.offsets)

    @cached_property
    def with_signs(self) -> Floats:
        """The rows as they multiply the hyperplane (w, b): (m, r + 1)."""
        return np.column_stack([self.rows, self.signs])

    @cached_property
    def shared(self) -> NDArray[np.intp]:
        """The rows that share their slack with others, ascending."""
        return np.flatnonzero(self.sizes[self.group_of] > 1)

    @cached_property
    def longest_row(self) -> float:
        """The largest |x_k|."""
        return float(np.sqrt(np.einsum("ij,ij->i", self.rows, self.rows).max()))

    def by_group(self, values: Floats) -> Floats:
        """Sum over the rows of each group: (m, ...) -> (n_groups, ...)."""
        return np.asarray(segment_sum(values, self.offsets), dtype=np.float64)

    def feasible(self, duals: Floats) -> Floats:
        """The dual variables, changed by the little that makes them feasible: (m,).

        Whatever goes in, the dual objective of the result is a lower bound of the optimum.
        """
        kept = np.maximum(duals, 0.0)
        kept /= np.maximum(1.0, self.by_group(kept) / self.penalty)[self.group_of]
        # sum_k sign_k dual_k = 0: scale the heavier sign down, which breaks no other constraint.
        is_positive = self.signs > 0
        positive, negative = kept[is_positive].sum(), kept[~is_positive].sum()
        lighter = min(positive, negative)
        kept[is_positive] *= lighter / positive if positive > 0 else 0.0
        kept[~is_positive] *= lighter / negative if negative > 0 else 0.0
        return kept


@dataclass(frozen=True)
class Solution:
    """A solution, and the active set that it was computed from.

    duals (m,), bias, slacks (n_groups,); active (m,): the rows whose dual variable may be
    positive, so they lie on their margin; positive_slack (n_groups,): the groups whose slack may
    be positive, so their dual variables sum to the penalty.
    """

    duals: Floats
    bias: float
    slacks: Floats
    active: Bools
    positive_slack: Bools


def solve(program: SlackProgram, start: Solution | None) -> Solution:
    """The optimum, directly if the active set of `start` is nearly right.

    Where the active set has no unique solution (a bias that nothing determines, say), the result
    of the interior-point method, run until its digits are spent.
    """
    program = replace(program, rows=in_few_coordinates(program.rows))
    if start is not None:
        exact = solve_active_set(program, start)
        if exact is not None:
            return exact
    rough = follow_central_path(program, starting_point(program, wide=False), _ROUGH)
    exact = solve_active_set(program, guess_active_set(program, rough.point))
    if exact is not None:
        return exact
    fine = follow_central_path(program, rough.point, _FINE)
    if fine.error > _FINE:
        wide = follow_central_path(program, starting_point(program, wide=True), _FINE)
        fine = min(fine, wide, key=lambda end: end.error)
    best = guess_active_set(program, fine.point)
    return solve_active_set(program, best) or best


def in_few_coordinates(rows: Floats) -> Floats:
    """Rows (m, d) with the same inner products in at most min(m, d) coordinates.

    The program depends on inner products alone, so with fewer rows than features the Cholesky
    factor of their Gram matrix serves as well. Pivoting keeps it safe for rows that repeat.
    """
    m, d = rows.shape
    if d <= m:
        return rows
    factor, pivots, rank, _ = dpstrf(rows @ rows.T, lower=1)
    kept = max(1, rank)  # rows that are all 0 still have a coordinate
    short = np.empty((m, kept))
    short[pivots - 1] = np.tril(factor)[:, :kept]
    return short


# --- The interior-point method -------------------------------------------------------------------


class InteriorPoint(NamedTuple):
    """A point strictly inside all bounds, or a direction from one.

    duals (m,); slack_duals (n_groups,): the dual variables of slack >= 0, which are the penalty
    less the group's sum of `duals`; hyperplane (r + 1,): w, then b; excess (m,): by how much a row
    exceeds its margin; slacks (n_groups,).
    """

    duals: Floats
    slack_duals: Floats
    hyperplane: Floats
    excess: Floats
    slacks: Floats

    def moved(self, step: "InteriorPoint", length: float) -> "InteriorPoint":
        """The point after `length` of the step."""
        return InteriorPoint(*(part + length * by for part, by in zip(self, step, strict=True)))

    def complementarity(self) -> float:
        """The sum of all products that are 0 at the optimum; for a feasible point the gap."""
        return float(self.duals @ self.excess + self.slack_duals @ self.slacks)


class PathEnd(NamedTuple):
    """The best point of a path, and its error: relative gap or residual, whichever is larger."""

    point: InteriorPoint
    error: float


def starting_point(program: SlackProgram, *, wide: bool) -> InteriorPoint:
    """W = 0, with dual variables in the middle of their bounds.

    wide: with an excess as large as the margins of the hyperplane that these dual variables give.
    Slower, but it keeps its digits where the penalty is enormous and cells repeat.
    """
    half = 0.5 * program.penalty
    duals = half / program.sizes[program.group_of]
    reached = float(np.linalg.norm(duals @ program.rows)) * program.longest_row
    width = max(1.0, reached) if wide else 1.0
    n_groups = len(program.sizes)
    return InteriorPoint(
        duals=duals,
        slack_duals=np.full(n_groups, half),
        hyperplane=np.zeros(program.rows.shape[1] + 1),
        excess=np.full(len(program.rows), width),
        slacks=np.full(n_groups, 1.0 + width),  # w = 0: slack - 1 = excess
    )


def follow_central_path(program: SlackProgram, start: InteriorPoint, tolerance: float) -> PathEnd:
    """Follow the central path from `start` until gap and residuals are within `tolerance`.

    Ends earlier where floating point has no more digits, at the best point on the way.
    """
    point, best, since_best = start, PathEnd(start, np.inf), 0
    for _ in range(_MAX_ITERATIONS):
        newton = _Newton(program, point)
        since_best += 1
        if newton.error < best.error:
            best, since_best = PathEnd(point, newton.error), 0
        if best.error <= tolerance or since_best > _PATIENCE or not newton.factorise():
            break
        step = newton.step()
        length = min(1.0, _STEP_TO_BOUND / _inverse_distance(point, step))
        if not length > _SHORTEST:
            break
        point = point.moved(step, length)
    return best


def _inverse_distance(point: InteriorPoint, step: InteriorPoint) -> float:
    """1 / the length at which the step reaches its first bound; positive."""
    bounded = (
        (point.duals, step.duals),
        (point.slack_duals, step.slack_duals),
        (point.excess, step.excess),
        (point.slacks, step.slacks),
    )
    return max(1e-300, *(float(-(by / value).min()) for value, by in bounded))


def _largest(values: Floats) -> float:
    return float(np.abs(values).max())


class _Newton:
    """Newton's equations of the optimality conditions at one point.

    With A the rows with their signs, G the groups and h = (w, b), the conditions are

        (1)  (w, 0) = A' duals
        (2)  penalty = G duals + slack_duals
        (3)  A h + slack of the group - 1 = excess
        (4)  duals * excess = 0 and slack_duals * slacks = 0, row by row and group by group

    Eliminating slacks and dual variables leaves r + 1 equations for h. What a slack shared by
    several rows couples is a rank-one term, which is never subtracted: the rows of a group enter
    as their scatter about their weighted mean, and the mean enters with the weight that the slack
    leaves it. So the matrix stays positive definite to the last digit.
    """

    def __init__(self, program: SlackProgram, point: InteriorPoint) -> None:
        self.program, self.point = program, point
        self.rows = program.with_signs
        self.residual_1 = point.hyperplane - point.duals @ self.rows
        self.residual_1[-1] -= point.hyperplane[-1]  # b is not penalised
        self.residual_2 = program.penalty - program.by_group(point.duals) - point.slack_duals
        reached = self.rows @ point.hyperplane + point.slacks[program.group_of] - 1.0
        self.residual_3 = reached - point.excess

    @property
    def error(self) -> float:
        """The relative gap, or the largest residual where it is larger and more than rounding.

        Residuals are in margins, or relative to the penalty.
        """
        program, point = self.program, self.point
        w, length = point.hyperplane[:-1], program.longest_row
        objective = 0.5 * float(w @ w) + program.penalty * float(point.slacks.sum())
        residual = max(
            _largest(self.residual_3),
            _largest(self.residual_1[:-1]) * length,
            _largest(self.residual_2) / program.penalty,
            abs(float(self.residual_1[-1])) / program.penalty,
        )
        # Sums of terms this large carry rounding that no step removes.
        spread = float(point.duals.sum()) * length**2
        rounding = _ROUNDING * (spread + 1.0 + _largest(point.hyperplane) * max(1.0, length))
        return max(point.complementarity() / objective, residual - rounding)

    def factorise(self) -> bool:
        """Cholesky factor of the eliminated system; False where it is not positive definite."""
        program, point = self.program, self.point
        self.weight = point.duals / point.excess  # (m,)
        self.slack_weight = point.slack_duals / point.slacks  # (n_groups,)
        self.total = program.by_group(self.weight)
        self.joint = self.total + self.slack_weight
        shared = program.shared
        mean = program.by_group(self.weight[:, None] * self.rows) / self.total[:, None]
        scatter = self.rows[shared] - mean[program.group_of[shared]]
        scatter *= np.sqrt(self.weight[shared])[:, None]
        mean *= np.sqrt(self.total * self.slack_weight / self.joint)[:, None]
        half = np.concatenate([scatter, mean])
        matrix = half.T @ half
        matrix.flat[: -1 : len(matrix) + 1] += 1.0  # |w|^2 / 2; the last entry is that of b
        self.factor, failure = dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        return bool(failure == 0)

    def step(self) -> InteriorPoint:
        """Mehrotra's step: a predictor to the optimum, corrected towards the central path."""
        point = self.point
        products = point.duals * point.excess, point.slack_duals * point.slacks
        predictor = self._direction(-products[0], -products[1])
        length = min(1.0, 1.0 / _inverse_distance(point, predictor))
        now = point.complementarity()
        ahead = point.moved(predictor, length).complementarity()
        # The cube is Mehrotra's heuristic: the better the predictor, the less centring.
        target = max(ahead / now, 0.0) ** 3 * now / (len(point.duals) + len(point.slacks))
        return self._direction(
            target - products[0] - predictor.duals * predictor.excess,
            target - products[1] - predictor.slack_duals * predictor.slacks,
        )

    def _direction(self, row_change: Floats, group_change: Floats) -> InteriorPoint:
        """The direction that meets (1) to (3) and changes the products of (4) by these amounts."""
        point = self.point
        # (4) and (3) give for a row:    step of its dual = weight * (row_right - rows @ h - slack)
        # (4) and (2) give for a group:  their sum = slack_weight * slack - group_right
        group_right = group_change / point.slacks - self.residual_2
        row_right = row_change / point.duals - self.residual_3
        right = self._dual_step(row_right, group_right)[0] @ self.rows - self.residual_1
        hyperplane, _ = dpotrs(self.factor, right, lower=1)
        duals, mean = self._dual_step(row_right - self.rows @ hyperplane, group_right)
        slacks = (self.total * mean + group_right) / self.joint
        return InteriorPoint(
            duals=duals,
            slack_duals=(group_change - point.slack_duals * slacks) / point.slacks,
            hyperplane=hyperplane,
            excess=(row_change - point.excess * duals) / point.duals,
            slacks=slacks,
        )

    def _dual_step(self, row_right: Floats, group_right: Floats) -> tuple[Floats, Floats]:
        """Weight * (row_right - slack step of the group) (m,), and row_right's mean by group.

        Written about the weighted mean of the group, since row_right and slack step are large
        numbers whose difference is small.
        """
        group_of = self.program.group_of
        mean = self.program.by_group(self.weight * row_right) / self.total
        left = (mean * self.slack_weight - group_right) / self.joint  # mean - slack step
        return self.weight * (row_right - mean[group_of] + left[group_of]), mean


# --- The active-set method -----------------------------------------------------------------------


def guess_active_set(program: SlackProgram, point: InteriorPoint) -> Solution:
    """The active set at an interior point: of each product of (4), which factor is the large one.

    Factors have different units, so each is compared in units of its usual size.
    """
    usual = float(point.duals.max())
    return Solution(
        duals=program.feasible(point.duals),
        bias=float(point.hyperplane[-1]),
        slacks=point.slacks,
        active=point.duals > usual * point.excess,
        positive_slack=program.penalty * point.slacks > point.slack_duals,
    )


def solve_active_set(program: SlackProgram, start: Solution) -> Solution | None:
    """The exact optimum reached from the active set of `start`, or None.

    A wrong active set shows in wrong signs, which are corrected. None as soon as a system leaves
    no fewer wrong signs than the one before, and at once where far more rows are active than
    there are unknowns: all of them tie, at w = 0 for example.
    """
    unknowns = program.rows.shape[1] + 1 + int(start.positive_slack.sum())
    if int(start.active.sum()) > _MOST_ROWS * unknowns:
        return None
    solution, wrong_before = start, len(program.rows) + len(program.sizes) + 1
    for _ in range(_MAX_SYSTEMS):
        solution = _solve_system(program, solution)
        active, positive_slack = _corrected(program, solution)
        wrong = int((active != solution.active).sum())
        wrong += int((positive_slack != solution.positive_slack).sum())
        if wrong == 0:
            return solution
        # A group with slack needs an active row, else its equation has no unknown.
        has_row = program.by_group(active.astype(np.float64)) > 0
        if wrong >= wrong_before or not has_row[positive_slack].all():
            return None
        solution = replace(solution, active=active, positive_slack=positive_slack)
        wrong_before = wrong
    return None


def _solve_system(program: SlackProgram, start: Solution) -> Solution:
    """The solution with this active set: all else is at its bound.

    Unknowns are the dual variables of active rows, the bias and the positive slacks. Equations:
    active rows lie on their margin, dual variables balance, positive slacks use up their penalty.
    """
    rows, groups = np.flatnonzero(start.active), np.flatnonzero(start.positive_slack)
    matrix, unit = _equations(program, rows, groups)
    n, m = len(rows), len(rows) + 1
    right = np.concatenate([np.ones(n), [0.0], np.full(len(groups), program.penalty * unit)])
    # Equal rows make the matrix singular. The ridge, positive for the dual variables and negative
    # for the others (a saddle point), makes it regular; refinement then removes its effect.
    ridge = np.full(len(matrix), -_RIDGE)
    ridge[:n] = _RIDGE
    factor = lu_factor(matrix + np.diag(ridge), check_finite=False)
    found = np.concatenate([start.duals[rows] * unit, [start.bias], start.slacks[groups]])
    for _ in range(_REFINEMENTS):
        found = found + lu_solve(factor, right - matrix @ found, check_finite=False)
    duals, slacks = np.zeros(len(program.rows)), np.zeros(len(program.sizes))
    duals[rows] = found[:n] / unit
    slacks[groups] = found[m:]
    return replace(start, duals=duals, bias=float(found[n]), slacks=slacks)


def _equations(
    program: SlackProgram, rows: NDArray[np.intp], groups: NDArray[np.intp]
) -> tuple[Floats, float]:
    """The matrix, for dual variables times a unit, bias and slacks; and that unit.

    The unit, the largest squared length of a row, brings all entries near 1.
    """
    n, m = len(rows), len(rows) + 1
    chosen = program.rows[rows]
    gram = chosen @ chosen.T
    unit = float(gram.diagonal().max(initial=0.0)) or 1.0
    matrix = np.zeros((m + len(groups), m + len(groups)))
    matrix[:n, :n] = gram / unit
    matrix[:n, n] = matrix[n, :n] = program.signs[rows]
    row, group = np.nonzero(program.group_of[rows][:, None] == groups)
    matrix[row, m + group] = matrix[m + group, row] = 1.0
    return matrix, unit


def _corrected(program: SlackProgram, solution: Solution) -> tuple[Bools, Bools]:
    """Active rows and positive slacks with every wrong sign corrected.

    A row leaves where its dual variable is negative and enters where it is below its margin; a
    slack leaves where it is negative and enters where its group's duals exceed the penalty.
    """
    duals, slacks = solution.duals, solution.slacks
    w = duals @ program.rows
    reached = program.rows @ w + program.signs * solution.bias + slacks[program.group_of]
    sums = program.by_group(duals)
    stays = duals >= -_SIGN * np.abs(duals).max()
    active = np.where(solution.active, stays, reached < 1.0 - _SIGN)
    exceeds = sums > program.penalty * (1.0 + _SIGN)
    return active, np.where(solution.positive_slack, slacks >= -_SIGN, exceeds)
