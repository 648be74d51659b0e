"""MI-SVM by the original package `misvm` (Doran), an optional extra, to compare with our solver.

    pip install --constraint constraints.txt --editable '.[misvm]'

The package builds on `numpy.matrix` and computes the bias as `float` of a 1x1 matrix. NumPy warns
of that from 1.25 on and refuses it from 2.4 on (TypeError). The package catches the error in its
loop and returns no model. `_matrix_floats` therefore shadows the name `float` in the package's
modules for the time of a call. NumPy and all other modules stay as they are.
"""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from threading import RLock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags
from lymphokit.errors import ConfigError

_REMEDY = "set backend: exact, which solves the same problem"
_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_ONE_AT_A_TIME = RLock()  # two threads would restore each other's `float`, and stdout


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

    Where the results differ from those of `backend: exact`:
    - The bias. Ours has the least objective. The package takes the mean of y - w.x over all
      support vectors, which is right for those on the margin, where y (w.x + b) = 1. A support
      vector inside the margin has a slack s and adds y s to its term, therefore
      bias(misvm) = bias(exact) + mean of y s over the support vectors. Where representatives have
      more slack than negative cells, misvm calls more cells positive, and the rates that
      `mi_svm_xgboost` reads are higher.
    - The weights, where a hyperplane of the alternation is w = 0 and rounding decides which cells
      come next (see `alternate`); otherwise they agree to the tolerance of the package's solver.
    - Random restarts, which the package draws from NumPy's global generator.

    Raises ConfigError where the package cannot be imported, and where it returns no model; the
    message names the package's error.
    """
    package = require_misvm()
    options = {"C": C, "scale_C": scale_C, "max_iters": max_iters, "restarts": restarts}
    cells_of_bags = np.split(np.asarray(bags.instances, dtype=np.float64), bags.offsets[1:-1])
    n_features = bags.instances.shape[1]
    probes = [*np.zeros((1, 1, n_features)), *np.eye(n_features)[:, None, :]]
    printed = StringIO()
    with _ONE_AT_A_TIME, _matrix_floats(package), redirect_stdout(printed):
        try:
            # Only with verbose=True does the package print the errors that it catches.
            model = package.MISVM(kernel="linear", verbose=True, **options)
            model.fit(cells_of_bags, np.where(labels == 1, 1.0, -1.0))
            scores = np.asarray(model.predict(probes), dtype=np.float64).ravel()
        except _FAILURES as error:
            raise _no_model(f"{type(error).__name__}: {error}", printed.getvalue()) from error
    weights, bias = scores[1:] - scores[:1], scores[:1]
    if len(weights) != n_features or not np.isfinite(scores).all() or not weights.any():
        raise _no_model("its scores are the same for every cell, or no numbers", printed.getvalue())
    return weights, float(bias[0])


def require_misvm() -> ModuleType:
    """The package misvm. Raises ConfigError, with the remedy, where it cannot be imported."""
    try:
        package = import_module("misvm")
        _ = package.MISVM.fit, package.MISVM.predict  # another package may have this name
        return package
    except (ImportError, AttributeError) as error:  # AttributeError: a name that NumPy removed
        raise ConfigError(
            f"backend: misvm needs the package misvm ({type(error).__name__}: {error}): "
            f"pip install --editable '.[misvm]' in the checkout, or {_REMEDY}"
        ) from error


class _AnyFloat(type):
    """Makes `_MatrixFloat` behave as `float` does in calls and in isinstance."""

    def __call__(cls, value: Any = 0.0) -> float:
        return float(value.item() if isinstance(value, np.ndarray) and value.size == 1 else value)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, float)


class _MatrixFloat(metaclass=_AnyFloat):
    """`float`, which also accepts an array with one element of any number of dimensions."""

    dtype = np.dtype(np.float64)  # what NumPy reads where this class is given as a dtype


@contextmanager
def _matrix_floats(package: ModuleType) -> Iterator[None]:
    """Shadow the builtin `float` in the modules of a package by `_MatrixFloat`."""
    prefix = f"{package.__name__}."
    modules = [
        module
        for name, module in sys.modules.items()
        if module is not None and (name == package.__name__ or name.startswith(prefix))
    ]
    namespaces: list[MutableMapping[str, Any]] = [*map(vars, modules)]
    # The class may come from a module of another name.
    for method in (package.MISVM.fit, package.MISVM.predict):
        names = getattr(method, "__globals__", {})
        if all(names is not each for each in namespaces):
            namespaces.append(names)
    changed = [namespace for namespace in namespaces if "float" not in namespace]
    for namespace in changed:
        namespace["float"] = _MatrixFloat
    try:
        yield
    finally:
        for namespace in changed:
            del namespace["float"]


def _no_model(found: str, printed: str) -> ConfigError:
    """The error where there is no model; `printed` holds the errors that the package caught."""
    caught = [line.strip() for line in printed.splitlines() if "error" in line.lower()]
    cause = "; ".join(dict.fromkeys([*caught, found]))
    return ConfigError(f"misvm returned no model under NumPy {np.__version__} ({cause}): {_REMEDY}")
