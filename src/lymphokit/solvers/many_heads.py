"""Many small logistic regressions at once: Newton's method on a stack of problems.

One after the other, a thousand problems pay a solver's overhead a thousand times; a stack of them
pays it once. The objective is scikit-learn's, strictly convex, so there is one optimum and
nothing to choose.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

_STEPS = 100
_TOLERANCE = 1e-12  # of the objective: what the last step gains at most
_SMALLEST_CURVATURE = 1e-12
_SHORTEST = 1e-6


class NoOptimumError(ArithmeticError):
    """Newton's method did not arrive, as it does on rows of finite numbers."""


def fit_heads(rows: Floats, labels: NDArray[np.int64], weights: Floats, C: float) -> Floats:
    """Of each problem the head that minimises C sum_i weight_i log-loss_i + |w|^2 / 2.

    rows (n_problems, n, d); labels (n_problems, n) in {0, 1}; weights (n_problems, n) of the rows,
    0 for a row that is not learned from; C the inverse strength of the ridge, which spares the
    intercept. Returns (n_problems, d + 1): the weights of the features, last the intercept.
    Raises ValueError where a problem has no row of one label with a weight, NoOptimumError where
    a feature is not finite.
    """
    for label in (0, 1):
        if not np.all(np.any((labels == label) & (weights > 0), axis=1)):
            raise ValueError("a head is trained on rows of both labels")
    design = np.concatenate([rows, np.ones((*rows.shape[:2], 1))], axis=2)
    penalty = np.append(np.ones(rows.shape[2]), 0.0)
    sides = np.where(labels == 1, 1.0, -1.0)
    problems = _Problems(design, sides, C * weights, penalty)
    heads = np.zeros((len(rows), design.shape[2]))
    loss = problems.loss(heads)
    for _ in range(_STEPS):
        step, gain = problems.newton_step(heads)
        if np.all(gain <= _TOLERANCE * np.maximum(loss, 1.0)):
            return np.asarray(heads - step)
        heads, loss = _descend(problems, heads, step, loss)
    raise NoOptimumError(f"no optimum in {_STEPS} steps: are all features finite?")


def log_odds(heads: Floats, rows: Floats) -> Floats:
    """Log odds of label 1 of each problem's rows (n_problems, n, d): (n_problems, n)."""
    return np.asarray((rows @ heads[:, :-1, None])[..., 0] + heads[:, -1:])


@dataclass(frozen=True)
class _Problems:
    """design (n_problems, n, d + 1); sides in {-1, 1} and weights (n_problems, n)."""

    design: Floats
    sides: Floats
    weights: Floats
    penalty: Floats

    def loss(self, heads: Floats) -> Floats:
        """The objective of each problem: (n_problems,)."""
        losses = np.logaddexp(0.0, -self._margins(heads))
        ridge = 0.5 * (self.penalty * heads**2).sum(axis=1)
        return np.asarray((self.weights * losses).sum(axis=1) + ridge)

    def newton_step(self, heads: Floats) -> tuple[Floats, Floats]:
        """The step to be taken off, and what it gains where the objective is a parabola."""
        wrong = expit(-self._margins(heads))
        pull = self.weights * self.sides * wrong
        slope = self.penalty * heads - (pull[:, None, :] @ self.design)[:, 0]
        curvature = self.weights * np.maximum(wrong * (1.0 - wrong), _SMALLEST_CURVATURE)
        bend = (self.design * curvature[:, :, None]).transpose(0, 2, 1) @ self.design
        step = np.linalg.solve(bend + np.diag(self.penalty), slope[:, :, None])[..., 0]
        return np.asarray(step), np.asarray((step * slope).sum(axis=1) / 2)

    def _margins(self, heads: Floats) -> Floats:
        return np.asarray(self.sides * (self.design @ heads[:, :, None])[..., 0])


def _descend(
    problems: _Problems, heads: Floats, step: Floats, loss: Floats
) -> tuple[Floats, Floats]:
    """Take each problem's step, halved until its objective is no higher than it was."""
    length = np.ones(len(heads))
    while True:
        trial = heads - length[:, None] * step
        reached = problems.loss(trial)
        higher = ~(reached <= loss) & (length > _SHORTEST)
        if not higher.any():
            return trial, reached
        length[higher] /= 2
