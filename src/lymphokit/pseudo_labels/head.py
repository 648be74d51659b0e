"""The linear last layer of a frozen network, trained to the exact optimum of its loss.

With the trunk frozen, log-softmax with two outputs and the negative log-likelihood is logistic
regression, and weight decay is a ridge: a strictly convex problem, whose one optimum Newton's
method finds in a few steps. There is no learning rate, no epoch and no start to choose, and it
takes milliseconds where stochastic descent takes seconds to come near. Numpy alone, since the
rounds spend more time on imports than on this.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lymphokit.pseudo_labels.rounds import Judgement

Floats = NDArray[np.float64]

_STEPS = 100
_TOLERANCE = 1e-14  # of the loss: the step before was then within its square root of the optimum
_SHORTEST = 1e-6
_SMALLEST_CURVATURE = 1e-12
_SMALLEST_SPREAD = 1e-9  # of a feature that never changes: it is left out, not divided by


@dataclass(frozen=True)
class LinearHead:
    """A linear layer, weights (d,) and a bias: log odds of label 1 from features as they are."""

    weights: Floats
    bias: float

    def log_odds(self, features: NDArray[np.floating]) -> Floats:
        """Log odds, log P(1) - log P(0), of each row of features (n, d): (n,)."""
        return np.asarray(features @ self.weights + self.bias, dtype=np.float64)


def fit_head(features: NDArray[np.floating], labels: NDArray[np.int64], ridge: float) -> LinearHead:
    """The head that minimises mean negative log-likelihood + ridge / 2 |weights|^2.

    features (n, d), standardised here on these rows; labels (n,) in {0, 1}, both present; ridge is
    the weight decay of the standardised features, positive. The bias is free.
    Raises ValueError where one label is missing.
    """
    if len(np.unique(labels)) != 2:
        raise ValueError("a head is trained on cells of both labels")
    wide = np.asarray(features, dtype=np.float64)
    mean, spread = wide.mean(axis=0), wide.std(axis=0)
    inverse = np.where(spread > _SMALLEST_SPREAD, 1.0 / np.maximum(spread, _SMALLEST_SPREAD), 0.0)
    rows = (wide - mean) * inverse
    n, d = rows.shape
    if d <= n:
        coefficients, bias = _newton(_Weights(rows), labels.astype(np.float64), ridge)
    else:
        of_cells, bias = _newton(_Cells(rows @ rows.T), labels.astype(np.float64), ridge)
        coefficients = rows.T @ of_cells
    weights = inverse * coefficients
    return LinearHead(weights, bias - float(mean @ weights))


class _Weights:
    """The problem with a coefficient for each of few features: weights (d,)."""

    def __init__(self, rows: Floats) -> None:
        self.rows = rows
        self.size = rows.shape[1]

    def outputs(self, coefficients: Floats) -> Floats:
        """What the features add to the log odds of each cell: (n,)."""
        return np.asarray(self.rows @ coefficients)

    def square(self, coefficients: Floats, outputs: Floats) -> float:  # noqa: ARG002
        """|weights|^2."""
        return float(coefficients @ coefficients)

    def solve(self, curvature: Floats, target: Floats, ridge: float) -> tuple[Floats, float]:
        """The ridge regression of target / curvature with weights `curvature`, its bias free."""
        design = np.column_stack([self.rows, np.ones(len(target))])
        normal = (design * curvature[:, None]).T @ design
        normal[np.arange(self.size), np.arange(self.size)] += ridge * len(target)
        solution = np.asarray(np.linalg.solve(normal, design.T @ target), dtype=np.float64)
        return solution[:-1], float(solution[-1])


class _Cells:
    """The same with a coefficient for each of few cells: weights = rows' coefficients (n,).

    The optimum's weights lie in what the rows span, so n numbers tell them, however many features
    there are, and only the inner products of cells are needed.
    """

    def __init__(self, gram: Floats) -> None:
        self.gram = gram
        self.size = len(gram)

    def outputs(self, coefficients: Floats) -> Floats:
        """What the features add to the log odds of each cell: (n,)."""
        return np.asarray(self.gram @ coefficients)

    def square(self, coefficients: Floats, outputs: Floats) -> float:
        """|weights|^2."""
        return float(coefficients @ outputs)

    def solve(self, curvature: Floats, target: Floats, ridge: float) -> tuple[Floats, float]:
        """The ridge regression of target / curvature with weights `curvature`, its bias free.

        Source: Rasmussen and Williams 2006, algorithm 3.1, whose scaling keeps the system well
        conditioned where the curvature of a cell nearly vanishes.
        """
        root = np.sqrt(curvature)
        system = root[:, None] * self.gram * root
        system[np.arange(self.size), np.arange(self.size)] += ridge * self.size
        both = np.linalg.solve(system, np.column_stack([target / root, root]))
        bias = float(root @ both[:, 0]) / float(root @ both[:, 1])
        return root * (both[:, 0] - bias * both[:, 1]), bias


def _newton(problem: _Weights | _Cells, labels: Floats, ridge: float) -> tuple[Floats, float]:
    """Newton's method, as reweighted least squares with step halving; coefficients and bias."""
    coefficients, bias = np.zeros(problem.size), 0.0
    outputs = np.zeros(len(labels))
    loss = _loss(problem, coefficients, outputs, bias, labels, ridge)
    for _ in range(_STEPS):
        chance = 0.5 * (1.0 + np.tanh(0.5 * (outputs + bias)))
        curvature = np.maximum(chance * (1.0 - chance), _SMALLEST_CURVATURE)
        target = curvature * (outputs + bias) + labels - chance
        aim, aim_bias = problem.solve(curvature, target, ridge)
        aim_outputs, length = problem.outputs(aim), 1.0
        while True:
            trial = coefficients + length * (aim - coefficients)
            trial_bias = bias + length * (aim_bias - bias)
            trial_outputs = outputs + length * (aim_outputs - outputs)
            reached = _loss(problem, trial, trial_outputs, trial_bias, labels, ridge)
            if reached <= loss or length < _SHORTEST:
                break
            length /= 2
        gain = loss - reached
        coefficients, bias, outputs, loss = trial, trial_bias, trial_outputs, reached
        if gain < _TOLERANCE:
            break
    return coefficients, bias


def _loss(
    problem: _Weights | _Cells,
    coefficients: Floats,
    outputs: Floats,
    bias: float,
    labels: Floats,
    ridge: float,
) -> float:
    margins = outputs + bias
    likelihood = np.logaddexp(0.0, margins) - labels * margins
    return float(likelihood.mean()) + 0.5 * ridge * problem.square(coefficients, outputs)


@dataclass(frozen=True)
class FrozenTrunk:
    """The learner of `train: head`: the trunk's features are there, only the head is trained.

    features (n_cells, d) of the cohort's cells; labelled (n, d) of the labelled cells, with labels
    (n,) and is_training (n,), which tells their training part; ridge as for `fit_head`.
    """

    features: NDArray[np.floating]
    labelled: NDArray[np.floating]
    labels: NDArray[np.int64]
    is_training: NDArray[np.bool_]
    ridge: float

    def learn(
        self,
        cells: NDArray[np.int64],
        labels: NDArray[np.int64],
        *,
        with_labelled: bool,
        seed: int,  # noqa: ARG002
    ) -> Judgement:
        """Fit the head on cells and (pseudo-)labels; the optimum is unique, whatever the seed."""
        rows, truth = self.features[cells], labels
        if with_labelled:
            rows = np.concatenate([self.labelled[self.is_training], rows])
            truth = np.concatenate([self.labels[self.is_training], labels])
        head = fit_head(rows, truth, self.ridge)
        held_out = ~self.is_training
        called = head.log_odds(self.labelled[held_out]) > 0
        accuracy = float(np.mean(called == (self.labels[held_out] == 1)))
        return Judgement(head.log_odds(self.features), accuracy)
