"""Ridge logistic regression by Newton's method, for one problem or a stack of problems at once.

Minimises over weights w >= lower and an intercept b, which the ridge leaves alone,

    sum_i sample_weight_i * cross_entropy(target_i, sigmoid(w . x_i + b)) + ridge / 2 * |w|^2

where targets may lie anywhere in [0, 1]. With a ridge, or with soft targets, the optimum exists
and is unique, so nothing depends on a starting point. Without either, features that separate the
labels have no optimum: the weights then grow until the loss is rounding (log odds of about 30).

Not scikit-learn's LogisticRegression, which has neither bounds nor soft targets nor stacks:
- one after the other, it takes 19 to 29 times as long for a stack of 1,000 problems;
- scipy's L-BFGS-B takes 1.8 times as long for bounded weights, and ends 1e-8 to 1e-7 away;
- a round of pseudo-labelling is a short job that would import it anew each time: 1.8 s instead
  of 1.1 s, although its fit alone takes 0.7 times as long as the one here.
As printed by benchmarks/logistic.py and benchmarks/rounds.py.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError

Floats = NDArray[np.float64]

_MAX_ITERATIONS = 100  # Newton's method needs about ten
_TOLERANCE = 1e-14  # gain of a step at which it is the last, relative to the loss of zero weights
_ROUNDING = 1e-15  # rise of the loss that is rounding, relative to the loss of zero weights
_SHORTEST = 1e-6  # of a step; a step that has to be shorter than this gains nothing
_SMALLEST_CURVATURE = 1e-12  # of a row; rows with a certain prediction still count as this much


class NoOptimumError(LymphokitError):
    """The optimum of a regression was not found; the message names the cause."""


@dataclass(frozen=True)
class Logistic:
    """A fitted regression: weights (d,) of the features and an intercept."""

    weights: Floats
    intercept: float

    def log_odds(self, rows: NDArray[np.floating]) -> Floats:
        """Log odds, log P(1) - log P(0), of rows (n, d): (n,)."""
        return np.asarray(rows @ self.weights + self.intercept, dtype=np.float64)


def fit_logistic(
    rows: Floats,
    targets: NDArray[np.floating] | NDArray[np.int64],
    sample_weight: Floats,
    *,
    ridge: float,
    lower: float | Floats = -np.inf,
    intercept: bool = True,
) -> Logistic:
    """The regression on rows (n, d) with targets (n,) in [0, 1] and weights of the rows (n,).

    lower: bound of every weight, or one bound each (d,); intercept: False fixes it at 0.
    Raises as `fit_stack` does.
    """
    found = fit_stack(
        rows[None],
        targets[None],
        sample_weight[None],
        ridge=ridge,
        lower=lower,
        intercept=intercept,
    )[0]
    return Logistic(found[:-1], float(found[-1]))


def fit_stack(
    rows: Floats,
    targets: NDArray[np.floating] | NDArray[np.int64],
    sample_weight: Floats,
    *,
    ridge: float,
    lower: float | Floats = -np.inf,
    intercept: bool = True,
) -> Floats:
    """Coefficients of every problem of a stack: (n_problems, d + 1), the intercept last.

    rows (n_problems, n, d); targets (n_problems, n) in [0, 1]; sample_weight (n_problems, n), 0
    for a row that a problem leaves out; ridge, lower and intercept as in the module's formula,
    the same for all problems.
    Raises ValueError where a problem has an intercept and its targets are all 0 or all 1,
    NoOptimumError where a feature is not finite or the method does not converge.
    """
    if intercept:
        _require_both_labels(targets, sample_weight)
    width = rows.shape[2]
    problems = _Problems(
        design=np.concatenate([rows, np.full((*rows.shape[:2], 1), float(intercept))], axis=2),
        targets=np.asarray(targets, dtype=np.float64),
        sample_weight=sample_weight,
        ridge=ridge,
        lower=np.append(np.broadcast_to(lower, width), -np.inf),
        has_intercept=intercept,
    )
    return _minimised(problems)


def log_odds(coefficients: Floats, rows: Floats) -> Floats:
    """Log odds of label 1 in each problem of a stack: (n_problems, n) for rows (…, n, d)."""
    return np.asarray((rows @ coefficients[:, :-1, None])[..., 0] + coefficients[:, -1:])


def fit_rising_line(
    scores: Floats, labels: NDArray[np.int64], *, intercept: bool = True
) -> tuple[float, float]:
    """Platt scaling: slope, at least 0, and intercept from scores (n,) to the log odds of label 1.

    labels (n,) in {0, 1}. The targets are softened to (n_1 + 1) / (n_1 + 2) for the n_1 rows of
    label 1 and to 1 / (n_0 + 2) for the others, so the slope stays finite where the scores
    separate the labels. Where all scores are equal the slope is 0.
    intercept: False fixes it at 0, which leaves temperature scaling; the slope is 1 where all
    scores are 0.
    Source: Platt 1999, Probabilistic outputs for support vector machines.
    """
    n_0, n_1 = np.bincount(labels, minlength=2)
    targets = np.where(labels == 1, (n_1 + 1) / (n_1 + 2), 1 / (n_0 + 2))
    if intercept and np.ptp(scores) == 0:
        mean = float(targets.mean())
        return 0.0, float(np.log(mean) - np.log1p(-mean))
    if not scores.any():
        return 1.0, 0.0
    equal = np.full(len(scores), 1 / len(scores))
    line = fit_logistic(scores[:, None], targets, equal, ridge=0.0, lower=0.0, intercept=intercept)
    return float(line.weights[0]), line.intercept


def _require_both_labels(targets: NDArray[np.generic], sample_weight: Floats) -> None:
    # Without both, the intercept, which no ridge holds, runs away.
    for label in (0, 1):
        if not np.any((targets != 1 - label) & (sample_weight > 0), axis=1).all():
            raise ValueError("a logistic regression needs rows of both labels in every problem")


@dataclass(frozen=True)
class _Problems:
    """design (n_problems, n, d + 1): the features and a column of 1, or of 0 without an intercept.

    targets, sample_weight (n_problems, n); lower (d + 1,).
    """

    design: Floats
    targets: Floats
    sample_weight: Floats
    ridge: float
    lower: Floats
    has_intercept: bool

    @cached_property
    def penalty(self) -> Floats:
        """The ridge of every coefficient: (d + 1,)."""
        return np.append(np.full(self.design.shape[2] - 1, self.ridge), 0.0)

    @cached_property
    def gram(self) -> Floats | None:
        """Inner products of the rows (n_problems, n, n), where they make the smaller system."""
        _, n, width = self.design.shape
        if width - 1 <= n or self.ridge == 0 or np.isfinite(self.lower).any():
            return None
        features = self.design[:, :, :-1]
        return np.asarray(features @ features.transpose(0, 2, 1))

    def outputs(self, found: Floats) -> Floats:
        """Log odds of the rows: (n_problems, n)."""
        return np.asarray((self.design @ found[:, :, None])[..., 0])

    def loss(self, found: Floats) -> Floats:
        """The objective of each problem: (n_problems,)."""
        outputs = self.outputs(found)
        entropies = np.logaddexp(0.0, outputs) - self.targets * outputs
        penalties = 0.5 * (self.penalty * found**2).sum(axis=1)
        return np.asarray((self.sample_weight * entropies).sum(axis=1) + penalties)

    def newton_step(self, found: Floats) -> tuple[Floats, Floats]:
        """The step to subtract, and the gain that the quadratic model of the loss promises."""
        outputs = self.outputs(found)
        probability = 0.5 * (1.0 + np.tanh(0.5 * outputs))  # the sigmoid, without overflow
        error = self.sample_weight * (probability - self.targets)
        slope = (error[:, None, :] @ self.design)[:, 0] + self.penalty * found
        # A weight at its bound whose slope points outside stays there: it leaves the system.
        free = (found > self.lower) | (slope < 0)
        free[:, -1] &= self.has_intercept
        slope = np.where(free, slope, 0.0)
        curvature = np.maximum(probability * (1.0 - probability), _SMALLEST_CURVATURE)
        if self.gram is None:
            step = self._solved(slope, self.sample_weight * curvature, free)
        else:
            response = outputs + (self.targets - probability) / curvature
            step = found - self._solved_by_rows(response, self.sample_weight * curvature)
        return step, (step * slope).sum(axis=1) / 2

    def _solved(self, slope: Floats, weight: Floats, free: NDArray[np.bool_]) -> Floats:
        """Newton's equations (d + 1 unknowns) with these weights of the rows."""
        hessian = (self.design * weight[:, :, None]).transpose(0, 2, 1) @ self.design
        hessian *= free[:, :, None] & free[:, None, :]
        diagonal = np.arange(hessian.shape[1])
        hessian[:, diagonal, diagonal] += np.where(free, self.penalty, 1.0)
        return np.asarray(np.linalg.solve(hessian, slope[:, :, None])[..., 0])

    def _solved_by_rows(self, response: Floats, weight: Floats) -> Floats:
        """The weighted ridge regression of the response, by a system of n unknowns.

        The same as Newton's equations, for fewer rows than features: w is a combination of rows.
        Source: Rasmussen and Williams 2006, algorithm 3.1, whose scaling by the root of the
        weights keeps the system well conditioned where a weight nearly vanishes.
        """
        root = np.sqrt(weight)
        system = root[:, :, None] * self.gram * root[:, None, :]
        diagonal = np.arange(system.shape[1])
        system[:, diagonal, diagonal] += self.ridge
        both = np.linalg.solve(system, np.stack([root * response, root], axis=2))
        # The intercept makes the errors of the rows sum to 0.
        totals = (root[:, None, :] @ both)[:, 0]
        intercept = self.has_intercept * totals[:, :1] / totals[:, 1:]
        combination = root * (both[..., 0] - intercept * both[..., 1])
        weights = (combination[:, None, :] @ self.design[:, :, :-1])[:, 0]
        return np.concatenate([weights, intercept], axis=1)


def _minimised(problems: _Problems) -> Floats:
    """Newton's method from zero weights, projected onto the bounds.

    Source: Bertsekas 1982, Projected Newton methods.
    """
    found = np.zeros((len(problems.design), problems.design.shape[2]))
    found = np.maximum(found, problems.lower)
    loss = scale = problems.loss(found)
    if not np.isfinite(scale).all():
        raise NoOptimumError("a feature or a weight of a row is not a finite number")
    for _ in range(_MAX_ITERATIONS):
        step, gain = problems.newton_step(found)
        if np.all(gain <= _TOLERANCE * scale):
            # Convergence is quadratic, so this step leaves an error far below the tolerance.
            return np.maximum(found - step, problems.lower)
        found, loss = _descended(problems, found, step, loss, scale * _ROUNDING)
    raise NoOptimumError(
        f"no optimum in {_MAX_ITERATIONS} iterations: do the features differ widely in scale?"
    )


def _descended(
    problems: _Problems, found: Floats, step: Floats, loss: Floats, rounding: Floats
) -> tuple[Floats, Floats]:
    """Take each problem's step, halved until its loss is no higher than before."""
    length = np.ones(len(found))
    while True:
        trial = np.maximum(found - length[:, None] * step, problems.lower)
        reached = problems.loss(trial)
        higher = ~(reached <= loss + rounding) & (length > _SHORTEST)
        if not higher.any():
            return trial, reached
        length[higher] /= 2
