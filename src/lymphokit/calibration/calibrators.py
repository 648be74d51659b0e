"""Maps from what a model says to a probability that can be taken at its word.

A calibrator is fitted on the inner predictions of a fold, of patients that the predicting models
had not seen, and applied to the fold's validation and test patients. The inner models saw four
fifths of what the fold's own model saw, so what is learned of them is slightly too cautious.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from lymphokit.errors import LymphokitError
from lymphokit.solvers.logistic import fit_rising_line

Method = Literal["platt", "temperature", "isotonic", "none"]
Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


class CalibrationError(LymphokitError):
    """Nothing can be learned about probabilities: one label is missing, or the method unknown."""


class Calibrator(Protocol):
    """A fitted map from probabilities to probabilities that never changes an order."""

    def __call__(self, probabilities: Floats) -> Floats:
        """The calibrated probabilities: (n,) -> (n,)."""
        ...

    def record(self) -> dict[str, Any]:
        """What was learned, as plain data for a JSON file."""
        ...


@dataclass(frozen=True)
class OnLogOdds:
    """A line on the log odds: slope 1 / temperature, and an intercept.

    Log odds are kept within those of `least`, 1 : n + 1 for n patients fitted on.
    """

    slope: float
    intercept: float
    least: float

    def __call__(self, probabilities: Floats) -> Floats:
        """The calibrated probabilities: (n,) -> (n,)."""
        odds = log_odds(probabilities, self.least)
        return np.asarray(expit(self.slope * odds + self.intercept))

    def record(self) -> dict[str, Any]:
        """Slope, intercept and the least probability that is told from 0."""
        return {"slope": self.slope, "intercept": self.intercept, "least": self.least}


@dataclass(frozen=True)
class Steps:
    """A rising curve through points, straight between them, level outside."""

    said: tuple[float, ...]
    meant: tuple[float, ...]

    def __call__(self, probabilities: Floats) -> Floats:
        """The calibrated probabilities: (n,) -> (n,)."""
        return np.asarray(np.interp(probabilities, self.said, self.meant))

    def record(self) -> dict[str, Any]:
        """The points."""
        return {"said": list(self.said), "meant": list(self.meant)}


@dataclass(frozen=True)
class AsSaid:
    """Probabilities stay what they are."""

    def __call__(self, probabilities: Floats) -> Floats:
        """The probabilities: (n,) -> (n,)."""
        return probabilities

    def record(self) -> dict[str, Any]:
        """Nothing was learned."""
        return {}


def fit_calibrator(method: Method, labels: Labels, probabilities: Floats) -> Calibrator:
    """The calibrator that a method learns from labels (n,) in {0, 1} and inner predictions (n,).

    Raises CalibrationError for an unknown method or where a label is missing.
    """
    if method not in METHODS:
        raise CalibrationError(f"calibration.method: {method!r} is none of {', '.join(METHODS)}")
    if len(np.unique(labels)) != 2:
        raise CalibrationError(
            f"{len(labels)} inner predictions without both labels: nothing to calibrate on; "
            "use fewer or larger folds"
        )
    return METHODS[method](labels, probabilities)


def platt(labels: Labels, probabilities: Floats) -> OnLogOdds:
    """Slope and intercept of the log odds by maximum likelihood.

    The slope mends a model that is too sure or too timid, the intercept one that leans, as those
    fitted with balanced classes do. Towards a slope of 0 all patients get the share of tumoral
    ones, which is right for a model that knows nothing; it is never negative, so an order stays.
    Source: Platt 1999, Probabilistic outputs for support vector machines. His softened targets
    keep the fit finite where the labels are perfectly separated.
    """
    least = _least(labels)
    slope, intercept = fit_rising_line(log_odds(probabilities, least), labels)
    return OnLogOdds(slope, intercept, least)


def temperature(labels: Labels, probabilities: Floats) -> OnLogOdds:
    """One divisor of all log odds by maximum likelihood, with Platt's targets.

    Source: Guo et al. 2017, On calibration of modern neural networks.
    """
    least = _least(labels)
    slope, _ = fit_rising_line(log_odds(probabilities, least), labels, intercept=False)
    return OnLogOdds(slope, 0.0, least)


def isotonic(labels: Labels, probabilities: Floats) -> Steps:
    """The rising step function of least squared error, within 1 : n + 1.

    Without these bounds the outermost steps would promise 0 and 1.
    """
    least = _least(labels)
    fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    fitted.fit(probabilities, labels)
    return Steps(tuple(fitted.X_thresholds_.tolist()), tuple(fitted.y_thresholds_.tolist()))


def as_said(_labels: Labels, _probabilities: Floats) -> AsSaid:
    """Nothing is learned."""
    return AsSaid()


METHODS: dict[str, Callable[[Labels, Floats], Calibrator]] = {
    "platt": platt,
    "temperature": temperature,
    "isotonic": isotonic,
    "none": as_said,
}


def log_odds(probabilities: Floats, least: float) -> Floats:
    """Log odds, kept finite: of probabilities from `least` to 1 - `least`."""
    return np.asarray(logit(np.clip(probabilities, least, 1 - least)))


def _least(labels: Labels) -> float:
    """The smallest probability that so many patients can back (Laplace's rule of succession)."""
    return 1 / (len(labels) + 2)
