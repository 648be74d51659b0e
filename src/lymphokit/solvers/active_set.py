"""The exact end of the slack programme: which rows and slacks are in play, then one linear system.

An interior point approaches the optimum; here it is reached. Once it is known which multipliers
are positive and which slacks are open, the optimum solves linear equations, exact to rounding.
A wrong guess shows in a wrong sign and is mended, a few times, as a Newton method would.

Source: Hintermueller, Ito and Kunisch 2002 (the primal-dual active set strategy).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve

from lymphokit.solvers.interior_point import Interior
from lymphokit.solvers.slack_program import Floats, SlackProgram

_TRIES = 8  # linear systems, each mending the signs of the one before
_CROWD = 2  # active rows per equation that can tell them apart, above which no try is made
_REFINEMENTS = 3  # of each solution, against the system without its ridge
_RIDGE = 1e-12  # of the largest product of two rows: repeated rows then share their multiplier
_SIGN = 1e-10  # a wrong sign this small is rounding; relative to the margin or the multipliers


@dataclass(frozen=True)
class Vertex:
    """A solution and what is in play in it.

    multipliers (m,), bias, slacks (n_slacks,), active (m,) rows that may have a multiplier,
    open (n_slacks,) slacks that may be positive.
    """

    multipliers: Floats
    bias: float
    slacks: Floats
    active: NDArray[np.bool_]
    open: NDArray[np.bool_]


def guess(program: SlackProgram, point: Interior) -> Vertex:
    """What is in play at an interior point: of each pair the one that is large for its kind."""
    usual = float(point.multipliers.max())
    return Vertex(
        multipliers=program.feasible(point.multipliers),
        bias=float(point.plane[-1]),
        slacks=point.slacks,
        active=point.multipliers > usual * point.surplus,
        open=program.penalty * point.slacks > point.spare,
    )


def finish(program: SlackProgram, start: Vertex) -> Vertex | None:
    """The exact optimum reached from `start`, or None where its guess cannot be mended.

    Gives up as soon as a try leaves no fewer wrong signs than the one before, and at once where
    far more rows are in play than equations can tell apart: all of them tie, at w = 0 say.
    """
    most = _CROWD * (program.rows.shape[1] + 1 + int(start.open.sum()))
    if int(start.active.sum()) > most:
        return None
    vertex, wrong_before = start, len(program.rows) + len(program.sizes) + 1
    for _ in range(_TRIES):
        vertex = _solved(program, vertex)
        active, opened = _mended(program, vertex)
        wrong = int((active != vertex.active).sum() + (opened != vertex.open).sum())
        if wrong == 0:
            return vertex
        if wrong >= wrong_before or not _every_open_slack_has_a_row(program, active, opened):
            return None
        vertex = Vertex(vertex.multipliers, vertex.bias, vertex.slacks, active, opened)
        wrong_before = wrong
    return None


def _solved(program: SlackProgram, vertex: Vertex) -> Vertex:
    """Solve for what is in play, all else at its bound, from the vertex's own values.

    Active rows lie on their margin, open slacks use up their penalty, the multipliers balance.
    """
    rows, slacks = np.flatnonzero(vertex.active), np.flatnonzero(vertex.open)
    matrix, unit = _equations(program, rows, slacks)
    n, m = len(rows), len(rows) + 1
    right = np.concatenate([np.ones(n), [0.0], np.full(len(slacks), program.penalty * unit)])
    ridge = np.full(len(matrix), -_RIDGE)
    ridge[:n] = _RIDGE
    factor = lu_factor(matrix + np.diag(ridge), check_finite=False)
    solution = np.concatenate(
        [vertex.multipliers[rows] * unit, [vertex.bias], vertex.slacks[slacks]]
    )
    for _ in range(_REFINEMENTS):
        solution = solution + lu_solve(factor, right - matrix @ solution, check_finite=False)
    multipliers, slack = np.zeros(len(program.rows)), np.zeros(len(program.sizes))
    multipliers[rows] = solution[:n] / unit
    slack[slacks] = solution[m:]
    return Vertex(multipliers, float(solution[n]), slack, vertex.active, vertex.open)


def _equations(
    program: SlackProgram, rows: NDArray[np.intp], slacks: NDArray[np.intp]
) -> tuple[Floats, float]:
    """Their matrix, over multipliers times a unit, bias and slacks; and that unit."""
    n, m = len(rows), len(rows) + 1
    chosen = program.rows[rows]
    gram = chosen @ chosen.T
    unit = float(gram.diagonal().max(initial=0.0)) or 1.0
    matrix = np.zeros((m + len(slacks), m + len(slacks)))
    matrix[:n, :n] = gram / unit
    matrix[:n, n] = matrix[n, :n] = program.signs[rows]
    row, slack = np.nonzero(program.slack_of[rows][:, None] == slacks)
    matrix[row, m + slack] = matrix[m + slack, row] = 1.0
    return matrix, unit


def _mended(program: SlackProgram, vertex: Vertex) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What would be in play if every wrong sign were right."""
    w = vertex.multipliers @ program.rows
    reached = program.rows @ w + program.signs * vertex.bias + vertex.slacks[program.slack_of]
    spent = program.by_slack(vertex.multipliers)
    keeps = vertex.multipliers >= -_SIGN * np.abs(vertex.multipliers).max()
    active = np.where(vertex.active, keeps, reached < 1.0 - _SIGN)
    opened = np.where(vertex.open, vertex.slacks >= -_SIGN, spent > program.penalty * (1.0 + _SIGN))
    return active, opened


def _every_open_slack_has_a_row(
    program: SlackProgram, active: NDArray[np.bool_], opened: NDArray[np.bool_]
) -> bool:
    return bool((program.by_slack(active.astype(np.float64))[opened] > 0).all())
