"""MI-SVM by the original `misvm` package, where it is installed, for comparison."""

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.errors import ConfigError

_REMEDY = "set backend: exact, which solves the same problem"


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

    The hyperplane is read from the scores of the origin and of the unit vectors, each as a bag
    with one cell, so that prediction does not need the package.
    Raises ConfigError where the package is not installed, or returns no model, as it does when its
    solver fails: under NumPy 2 it always does, silently.
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
    cells_of_bags = np.split(np.asarray(bags.instances, dtype=np.float64), bags.offsets[1:-1])
    model.fit(cells_of_bags, np.where(labels == 1, 1.0, -1.0))
    return _hyperplane(model, bags.instances.shape[1])


def _hyperplane(model: object, n_features: int) -> tuple[NDArray[np.float64], float]:
    """Weights and bias of a fitted model, from its predictions."""
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
