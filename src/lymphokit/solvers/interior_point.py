"""A primal-dual interior-point method for the slack programme.

Every step solves one system of r + 1 equations, r the number of features: the slacks and the
multipliers are eliminated row by row, and what a shared slack couples is a rank-one term. That
term is never subtracted: the rows of a slack enter as their scatter about their weighted mean,
and the mean enters with the weight that the slack leaves it, so the matrix stays positive
definite to the last digit.

Source: Mehrotra 1992 (predictor-corrector); Ferris and Munson 2002 (the elimination for SVMs).
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from lymphokit.solvers.slack_program import Floats, SlackProgram

_MOST_STEPS = 100
_KEEP_INSIDE = 0.995  # of the way to the nearest bound
_PATIENCE = 15  # steps without a better point
_ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
_SHORTEST = 1e-7  # a step below this means that the digits have run out


class Interior(NamedTuple):
    """A point strictly inside all bounds, or a direction from one.

    multipliers (m,), spare (n_slacks,) what of the penalty the multipliers leave, plane (r + 1,)
    w then b, surplus (m,) by which a row exceeds its margin, slacks (n_slacks,).
    """

    multipliers: Floats
    spare: Floats
    plane: Floats
    surplus: Floats
    slacks: Floats

    def moved(self, step: "Interior", length: float) -> "Interior":
        """The point after `length` of the step."""
        return Interior(*(own + length * by for own, by in zip(self, step, strict=True)))

    def complementarity(self) -> float:
        """The sum of all products that vanish at the optimum; the gap, where feasible."""
        return float(self.multipliers @ self.surplus + self.spare @ self.slacks)


class Descent(NamedTuple):
    """Where a descent ended, and its error: relative gap or residual, whichever is larger."""

    point: Interior
    error: float


def centre(program: SlackProgram, *, wide: bool) -> Interior:
    """Where to start without knowing anything: w = 0, each slack half used, half to spare.

    wide: with margins as large as the multipliers' own plane would give. Slower, but it does not
    lose its digits where the penalty is enormous and the cells repeat.
    """
    half = 0.5 * program.penalty
    multipliers = half / program.sizes[program.slack_of]
    reached = float(np.linalg.norm(multipliers @ program.rows)) * program.reach
    width = max(1.0, reached) if wide else 1.0
    n_slacks = len(program.sizes)
    return Interior(
        multipliers=multipliers,
        spare=np.full(n_slacks, half),
        plane=np.zeros(program.rows.shape[1] + 1),
        surplus=np.full(len(program.rows), width),
        slacks=np.full(n_slacks, 1.0 + width),
    )


def descend(program: SlackProgram, start: Interior, tolerance: float) -> Descent:
    """Follow the central path from `start` until gap and residual are within `tolerance`.

    Ends earlier where floating point has no more digits to give, at the best point met.
    """
    point, best, since_best = start, Descent(start, np.inf), 0
    for _ in range(_MOST_STEPS):
        newton = _Newton(program, point)
        since_best += 1
        if newton.error < best.error:
            best, since_best = Descent(point, newton.error), 0
        if best.error <= tolerance or since_best > _PATIENCE or not newton.factorise():
            break
        step = newton.step()
        length = min(1.0, _KEEP_INSIDE / _nearest_bound(point, step))
        if not length > _SHORTEST:
            break
        point = point.moved(step, length)
    return best


def _nearest_bound(point: Interior, step: Interior) -> float:
    """1 / the length at which the step meets its first bound."""
    bounded = (
        (point.multipliers, step.multipliers),
        (point.spare, step.spare),
        (point.surplus, step.surplus),
        (point.slacks, step.slacks),
    )
    return max(1e-300, *(float(-(by / own).min()) for own, by in bounded))


def _largest(values: Floats) -> float:
    return float(np.abs(values).max())


class _Newton:
    """Newton's equations of the programme at one point."""

    def __init__(self, program: SlackProgram, point: Interior) -> None:
        self.program, self.point = program, point
        self.rows = program.planes
        self.plane_error = point.plane - point.multipliers @ self.rows
        self.plane_error[-1] -= point.plane[-1]  # b is not penalised
        self.spare_error = program.penalty - program.by_slack(point.multipliers) - point.spare
        reached = self.rows @ point.plane + point.slacks[program.slack_of] - 1.0
        self.surplus_error = reached - point.surplus

    @property
    def error(self) -> float:
        """The relative gap, or the largest residual where it is more than rounding and larger.

        Residuals are in margins, or relative to the penalty.
        """
        program, point = self.program, self.point
        w, reach = point.plane[:-1], program.reach
        objective = 0.5 * float(w @ w) + program.penalty * float(point.slacks.sum())
        residual = max(
            _largest(self.surplus_error),
            _largest(self.plane_error[:-1]) * reach,
            _largest(self.spare_error) / program.penalty,
            abs(float(self.plane_error[-1])) / program.penalty,
        )
        spread = float(point.multipliers.sum()) * reach**2
        rounding = _ROUNDING * (spread + 1.0 + _largest(point.plane) * max(1.0, reach))
        return max(point.complementarity() / objective, residual - rounding)

    def factorise(self) -> bool:
        """Cholesky factor of the eliminated system; False where it is not positive definite."""
        program, point = self.program, self.point
        self.weight = point.multipliers / point.surplus
        self.pull = point.spare / point.slacks
        self.total = program.by_slack(self.weight)
        self.joint = self.total + self.pull
        shared = program.shared
        mean = program.by_slack(self.weight[:, None] * self.rows) / self.total[:, None]
        scatter = self.rows[shared] - mean[program.slack_of[shared]]
        scatter *= np.sqrt(self.weight[shared])[:, None]
        mean *= np.sqrt(self.total * self.pull / self.joint)[:, None]
        half = np.concatenate([scatter, mean])
        matrix = half.T @ half
        matrix.flat[: -1 : len(matrix) + 1] += 1.0
        self.factor, failure = dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
        return bool(failure == 0)

    def step(self) -> Interior:
        """Mehrotra's step: a predictor to the optimum, corrected towards the central path."""
        point = self.point
        predictor = self._direction(-point.multipliers * point.surplus, -point.spare * point.slacks)
        length = min(1.0, 1.0 / _nearest_bound(point, predictor))
        now = point.complementarity()
        ahead = point.moved(predictor, length).complementarity()
        products = len(point.multipliers) + len(point.spare)
        target = max(ahead / now, 0.0) ** 3 * now / products
        return self._direction(
            target - point.multipliers * point.surplus - predictor.multipliers * predictor.surplus,
            target - point.spare * point.slacks - predictor.spare * predictor.slacks,
        )

    def _direction(self, of_rows: Floats, of_slacks: Floats) -> Interior:
        """The direction that adds these to the products of rows and of slacks."""
        point = self.point
        behind = of_slacks / point.slacks - self.spare_error
        lack = of_rows / point.multipliers - self.surplus_error
        right = self._weighted(lack, behind)[0] @ self.rows - self.plane_error
        plane, _ = dpotrs(self.factor, right, lower=1)
        multipliers, mean = self._weighted(lack - self.rows @ plane, behind)
        slacks = (self.total * mean + behind) / self.joint
        return Interior(
            multipliers=multipliers,
            spare=(of_slacks - point.spare * slacks) / point.slacks,
            plane=plane,
            surplus=(of_rows - point.surplus * multipliers) / point.multipliers,
            slacks=slacks,
        )

    def _weighted(self, lack: Floats, behind: Floats) -> tuple[Floats, Floats]:
        """What a lack of margin in each row asks of its multiplier, and its mean in each slack.

        weight * (lack - what the shared slack takes up), without the difference of large numbers.
        """
        slack_of = self.program.slack_of
        mean = self.program.by_slack(self.weight * lack) / self.total
        left = (mean * self.pull - behind) / self.joint
        return self.weight * (lack - mean[slack_of] + left[slack_of]), mean
