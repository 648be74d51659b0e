"""Calibrators: maps from predicted to calibrated probabilities.

A calibrator is fitted on the inner predictions of a fold and applied to its validation and test
patients. The inner models are fitted on fewer patients than the model of the fold, so the fitted
probabilities are slightly too cautious.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from lymphokit.errors import LymphokitError
from lymphokit.evaluation.log_odds import clipped_log_odds, least_probability
from lymphokit.evaluation.metrics import Floats, Labels
from lymphokit.solvers.logistic import fit_rising_line

Method = Literal["platt", "temperature", "isotonic", "none"]


class CalibrationError(LymphokitError):
    """A calibrator cannot be fitted: one label is missing."""


@dataclass(frozen=True)
class PlattScaling:
    """A line on the log odds; with intercept 0 this is temperature scaling, slope 1 / temperature.

    least: the probability to which log odds are clipped (`least_probability`).
    """

    slope: float
    intercept: float
    least: float

    def __call__(self, probabilities: Floats) -> Floats:
        """The calibrated probabilities: (n,) -> (n,)."""
        odds = clipped_log_odds(probabilities, self.least)
        return np.asarray(expit(self.slope * odds + self.intercept))


@dataclass(frozen=True)
class IsotonicMap:
    """A non-decreasing curve: linear between its points, constant outside."""

    probabilities: tuple[float, ...]
    calibrated: tuple[float, ...]

    def __call__(self, probabilities: Floats) -> Floats:
        """The calibrated probabilities: (n,) -> (n,)."""
        return np.asarray(np.interp(probabilities, self.probabilities, self.calibrated))


@dataclass(frozen=True)
class Identity:
    """Probabilities stay as they are."""

    def __call__(self, probabilities: Floats) -> Floats:
        """The probabilities: (n,) -> (n,)."""
        return probabilities


# A fitted, non-decreasing map from probabilities (n,) to probabilities (n,).
Calibrator = PlattScaling | IsotonicMap | Identity


def fit_calibrator(method: Method, labels: Labels, probabilities: Floats) -> Calibrator:
    """Fit a calibrator to labels (n,) in {0, 1} and inner predictions (n,).

    Raises CalibrationError where a label is missing.
    """
    if len(np.unique(labels)) != 2:
        raise CalibrationError(
            f"{len(labels)} inner predictions without both labels: nothing to calibrate on; "
            "use fewer or larger folds"
        )
    match method:
        case "platt":
            return fit_platt(labels, probabilities)
        case "temperature":
            return fit_platt(labels, probabilities, intercept=False)
        case "isotonic":
            return fit_isotonic(labels, probabilities)
        case "none":
            return Identity()


def fit_platt(labels: Labels, probabilities: Floats, *, intercept: bool = True) -> PlattScaling:
    """Slope and intercept on the log odds by maximum likelihood.

    labels (n,) in {0, 1}, probabilities (n,) in [0, 1], of the patients it is fitted on.
    The slope corrects overconfidence or underconfidence, the intercept a bias, such as that of
    models fitted with balanced classes. As the slope nears 0 all patients get the share of
    tumoral ones, which is right for a model without information. It is never negative, so the
    order of the patients stays. Without an intercept this is temperature scaling.
    Source: Platt 1999, Probabilistic outputs for support vector machines. His softened targets
    keep the fit finite where the labels are perfectly separated. Guo et al. 2017, On calibration
    of modern neural networks.
    """
    least = least_probability(len(labels))
    odds = clipped_log_odds(probabilities, least)
    return PlattScaling(*fit_rising_line(odds, labels, intercept=intercept), least)


def fit_isotonic(labels: Labels, probabilities: Floats) -> IsotonicMap:
    """Isotonic regression, bounded by `least_probability`.

    labels (n,) in {0, 1}, probabilities (n,) in [0, 1], of the patients it is fitted on.
    Without the bounds the outermost steps would be at 0 and 1.
    """
    least = least_probability(len(labels))
    fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    fitted.fit(probabilities, labels)
    return IsotonicMap(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))
