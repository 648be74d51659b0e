"""Logistic regression in which both classes weigh the same, and probabilities stay frequencies."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class BalancedLogistic:
    """Ridge logistic regression on descriptors of patients, with scikit-learn's balanced weights.

    The ridge shrinks towards equal odds, halfway between the classes, rather than towards the
    commoner class. Adding the log odds of the prevalence gives probabilities for this cohort.

    C: inverse strength of the ridge. Fitted: `weights_` (n_features,), `intercept_`, `prior_`.
    """

    def __init__(self, C: float) -> None:
        self.C = C

    def fit(self, descriptors: Floats, labels: NDArray[np.int64]) -> Self:
        """Learn from descriptors (n, n_features) and labels (n,) in {0, 1}, of which both occur."""
        from sklearn.linear_model import LogisticRegression

        regression = LogisticRegression(
            C=self.C, class_weight="balanced", tol=1e-8, max_iter=10_000
        ).fit(descriptors, labels)
        self.weights_: Floats = regression.coef_[0]
        self.intercept_ = float(regression.intercept_[0])
        share = float(labels.mean())
        self.prior_ = float(np.log(share / (1 - share)))
        return self

    def balanced_log_odds(self, descriptors: Floats) -> Floats:
        """Log odds of 1 where both classes are equally common: (n,)."""
        return np.asarray(descriptors @ self.weights_ + self.intercept_)

    def predict_proba(self, descriptors: Floats) -> Floats:
        """Probability of 1 at the prevalence of the patients fitted on: (n,)."""
        from scipy.special import expit

        return np.asarray(expit(self.balanced_log_odds(descriptors) + self.prior_))
