"""Log odds of probabilities, clipped so that they stay finite."""

import numpy as np
from scipy.special import logit

from lymphokit.evaluation.metrics import Floats


def least_probability(n_patients: int) -> float:
    """The smallest probability that n patients can support: odds of 1 : n + 1.

    Source: Laplace's rule of succession, for an event that none of n patients had.
    """
    return 1 / (n_patients + 2)


def clipped_log_odds(probabilities: Floats, least: float) -> Floats:
    """Log odds of the probabilities, clipped to `least` and 1 - `least`."""
    return np.asarray(logit(np.clip(probabilities, least, 1 - least)))
