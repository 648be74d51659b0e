"""Stacks and bounds of the logistic regression, against one library call a problem.

    python benchmarks/logistic.py

One core, CPU seconds, the median of five runs. A stack is what a permutation test fits: a thousand
cohorts of 120 patients, here with age and count or with 20 components; scikit-learn's
LogisticRegression fits them one after the other. Bounds are those of the stacked ensemble: eight
models whose weights are not negative, and two clinical features, against scipy's L-BFGS-B.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from lymphokit.solvers.logistic import fit_stack

PROBLEMS, PATIENTS, BOUNDED_PROBLEMS, BOUNDED = 1000, 120, 200, 8
Floats = NDArray[np.float64]
Fit = Callable[[Floats, NDArray[np.int64], float], Floats]


def simulated(problems: int, features: int) -> tuple[Floats, NDArray[np.int64]]:
    """Standardised features (problems, patients, features), some informative, and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (problems, PATIENTS))
    rows = rng.normal(size=(problems, PATIENTS, features))
    rows += rng.normal(scale=0.5, size=features) * labels[:, :, None]
    return (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True), labels


def ours(rows: Floats, labels: NDArray[np.int64], C: float) -> Floats:
    return fit_stack(rows, labels, np.full(labels.shape, C), ridge=1.0)


def ours_bounded(rows: Floats, labels: NDArray[np.int64], C: float) -> Floats:
    """One problem a call, as an ensemble is fitted."""
    weights = np.full((1, PATIENTS), C)
    lower = bounds(rows.shape[2])
    return np.concatenate(
        [
            fit_stack(row[None], label[None], weights, ridge=1.0, lower=lower)
            for row, label in zip(rows, labels, strict=True)
        ]
    )


def scikit_learn(rows: Floats, labels: NDArray[np.int64], C: float) -> Floats:
    found = []
    for row, label in zip(rows, labels, strict=True):
        model = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(row, label)
        found.append(np.append(model.coef_[0], model.intercept_))
    return np.array(found)


def scipy_bounded(rows: Floats, labels: NDArray[np.int64], C: float) -> Floats:
    return np.array([_scipy_bounded(*problem, C) for problem in zip(rows, labels, strict=True)])


def _scipy_bounded(row: Floats, label: NDArray[np.int64], C: float) -> Floats:
    sides = 2.0 * label - 1.0

    def loss(point: Floats) -> tuple[float, Floats]:
        margins = sides * (row @ point[:-1] + point[-1])
        slopes = -C * sides * expit(-margins)
        value = C * np.logaddexp(0, -margins).sum() + point[:-1] @ point[:-1] / 2
        return float(value), np.append(row.T @ slopes + point[:-1], slopes.sum())

    limits = [(low, None) for low in bounds(row.shape[1])] + [(None, None)]
    options = {"maxiter": 10_000, "ftol": 1e-14, "gtol": 1e-8}
    start = np.zeros(row.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits, options=options)
    return np.asarray(found.x)


def bounds(features: int) -> Floats:
    return np.where(np.arange(features) < BOUNDED, 0.0, -np.inf)


def timed(
    fit: Fit, rows: Floats, labels: NDArray[np.int64], C: float, times: int
) -> tuple[float, Floats]:
    """The median of so many runs in seconds, and the coefficients."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        found = fit(rows, labels, C)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), found


def main() -> None:
    table = Table(title=f"Logistic regressions on {PATIENTS} patients")
    for column in ("problems", "features", "solver", "seconds", "times ours", "largest difference"):
        table.add_column(column, justify="right")
    lines = []
    with threadpool_limits(1):
        for problems, features, C, mine, (name, theirs) in (
            (PROBLEMS, 2, 1.0, ours, ("scikit-learn", scikit_learn)),
            (PROBLEMS, 20, 0.1, ours, ("scikit-learn", scikit_learn)),
            (BOUNDED_PROBLEMS, BOUNDED + 2, 0.1, ours_bounded, ("L-BFGS-B", scipy_bounded)),
        ):
            rows, labels = simulated(problems, features)
            fast, exact = timed(mine, rows, labels, C, times=5)
            slow, found = timed(theirs, rows, labels, C, times=5)
            size = (f"{problems:,}", str(features))
            table.add_row(*size, "ours", f"{fast:.3f}", "1.0", "")
            difference = f"{np.abs(exact - found).max():.0e}"
            table.add_row(*size, name, f"{slow:.3f}", f"{slow / fast:.1f}", difference)
            lines.append(
                f"RATIO {problems:,} logistic regressions of {features} features, against {name}: "
                f"{slow / fast:.1f}x, results {difference} apart"
            )
    Console(width=100).print(table)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
