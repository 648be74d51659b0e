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

from lymphokit.mil.pseudo_label import Judgement

Floats = NDArray[np.float64]

_STEPS = 100
_TOLERANCE = 1e-10
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
    scaled = (wide - mean) * inverse
    basis = _row_space(scaled)
    coefficients, bias = _newton(scaled @ basis, labels.astype(np.float64), ridge)
    weights = inverse * (basis @ coefficients)
    return LinearHead(weights, bias - float(mean @ weights))


def _row_space(rows: Floats) -> Floats:
    """An orthonormal basis (d, r) of what the rows (n, d) span: the optimum lies in it."""
    n, d = rows.shape
    if d <= n:
        return np.eye(d)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = values > values[-1] * n * np.finfo(np.float64).eps
    return np.asarray(rows.T @ (vectors[:, kept] / np.sqrt(values[kept])))


def _newton(rows: Floats, labels: Floats, ridge: float) -> tuple[Floats, float]:
    """Newton's method with step halving on the ridge logistic loss; weights and free bias."""
    n, d = rows.shape
    design = np.column_stack([rows, np.ones(n)])
    penalty = np.append(np.full(d, ridge), 0.0)
    at = np.zeros(d + 1)
    loss = _loss(at, design, labels, penalty)
    for _ in range(_STEPS):
        chance = 0.5 * (1.0 + np.tanh(0.5 * (design @ at)))
        gradient = design.T @ (chance - labels) / n + penalty * at
        curvature = (design * (chance * (1 - chance) / n)[:, None]).T @ design
        step = np.linalg.solve(curvature + np.diag(penalty + np.finfo(np.float64).eps), gradient)
        decrease = float(gradient @ step)
        if decrease < _TOLERANCE:
            break
        length = 1.0
        while _loss(at - length * step, design, labels, penalty) > loss - 1e-4 * length * decrease:
            length /= 2
        at = at - length * step
        loss = _loss(at, design, labels, penalty)
    return at[:-1], float(at[-1])


def _loss(at: Floats, design: Floats, labels: Floats, penalty: Floats) -> float:
    margins = design @ at
    likelihood = np.logaddexp(0.0, margins) - labels * margins
    return float(likelihood.mean() + 0.5 * (penalty * at) @ at)


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
