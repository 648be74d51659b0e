"""The linear last layer of a frozen network, trained to the exact optimum of its loss.

With the trunk frozen, log-softmax with two outputs and the negative log-likelihood is logistic
regression, and weight decay is a ridge: a strictly convex problem, whose one optimum Newton's
method finds in a few steps. There is no learning rate, no epoch and no start to choose, and it
takes milliseconds where stochastic gradient descent takes seconds to come near.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lymphokit.pseudo_labels.rounds import Judgement
from lymphokit.solvers.logistic import Logistic, fit_logistic

_SMALLEST_SPREAD = 1e-9  # of a feature that never changes: it is left out, not divided by


def fit_head(features: NDArray[np.floating], labels: NDArray[np.int64], ridge: float) -> Logistic:
    """The head that minimises mean negative log-likelihood + ridge / 2 |weights|^2.

    features (n, d), standardised here on these rows; labels (n,) in {0, 1}, both present; ridge is
    the weight decay of the standardised features, positive. The intercept is free. The head
    returned takes features as they are.
    Raises ValueError where one label is missing.
    """
    wide = np.asarray(features, dtype=np.float64)
    mean, spread = wide.mean(axis=0), wide.std(axis=0)
    inverse = np.where(spread > _SMALLEST_SPREAD, 1.0 / np.maximum(spread, _SMALLEST_SPREAD), 0.0)
    shares = np.full(len(wide), 1 / len(wide))
    head = fit_logistic((wide - mean) * inverse, labels, shares, ridge=ridge)
    weights = inverse * head.weights
    return Logistic(weights, head.intercept - float(mean @ weights))


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
