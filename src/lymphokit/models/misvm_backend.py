"""MI-SVM by the original `misvm` package, for those who have it and want to compare."""

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.errors import ConfigError

_REMEDY = "set backend: own, which solves the same problem"


def fit_misvm(
    bags: Bags,
    labels: NDArray[np.int64],
    *,
    C: float,
    scale_C: bool,
    max_iters: int,
    restarts: int,
) -> tuple[NDArray[np.float64], float]:
    """The weights (d,) and bias of `misvm.MISVM` fitted to these bags.

    The plane is read off from scores of the origin and of the unit vectors, each as a bag of its
    own, so the fitted model needs the package no more.
    Raises ConfigError where the package is not installed, or comes back without a model, which
    is how it ends when its solver fails: under NumPy 2 it always does, without a word.
    """
    try:
        package = import_module("misvm")
    except ImportError as error:
        raise ConfigError(
            f"backend: misvm needs the package misvm ({error}): "
            f"pip install git+https://github.com/garydoranjr/misvm, or {_REMEDY}"
        ) from error
    model = package.MISVM(
        kernel="linear", C=C, scale_C=scale_C, max_iters=max_iters, restarts=restarts, verbose=False
    )
    parts = np.split(np.asarray(bags.instances, dtype=np.float64), bags.offsets[1:-1])
    model.fit(parts, np.where(labels == 1, 1.0, -1.0))
    return _plane(model, bags.instances.shape[1])


def _plane(model: object, n_features: int) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a fitted model, from what it predicts."""
    probes = [*np.zeros((1, 1, n_features)), *np.eye(n_features)[:, None, :]]
    try:
        scores = np.asarray(model.predict(probes), dtype=np.float64).ravel()  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError) as error:
        raise _no_model(f"{type(error).__name__}: {error}") from error
    weights, bias = scores[1:] - scores[0], float(scores[0])
    if len(weights) != n_features or not np.isfinite(scores).all() or not weights.any():
        raise _no_model("its scores are the same for every cell, or no numbers")
    return weights, bias


def _no_model(why: str) -> ConfigError:
    return ConfigError(
        f"misvm returned no model ({why}); it hides its solver's errors, as under "
        f"NumPy {np.__version__}: install numpy<2 beside it, or {_REMEDY}"
    )
