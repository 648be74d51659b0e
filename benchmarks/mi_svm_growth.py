"""MI-SVM's time and memory against the number of cells, 1,000 to 100,000, as a table and a figure.

    python benchmarks/mi_svm_growth.py [--runs 5] [--figure docs/mi_svm_growth.png]

One core, 100 features, 82 cells a patient. Seconds are CPU time, the median of the runs. Memory is
the peak of what a run allocates beside its input, as tracemalloc counts it; NumPy reports its
arrays to it. Every fit carries its proof: the gap between its objective and a lower bound.

Were there a matrix of all cells by all cells, as in the dual program of the original package, its
memory would grow by the square of the cells. What the working set needs is at most of the order of
patients plus features squared: a linear system has one unknown a row on the margin, of which
`slack_program` admits twice as many as there are features and slacks.
"""

import argparse
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from lymphokit.figures.style import BLUE, CAPTION, REFERENCE, clean_axes
from mi_svm import Problem, simulated, whole

CELLS = (1_000, 3_000, 10_000, 30_000, 100_000)
CELLS_A_PATIENT, POSITIVE = 82, 0.69  # of the competition
MIB = 2.0**20
FIGURE = Path(__file__).parents[1] / "docs" / "mi_svm_growth.png"


@dataclass(frozen=True)
class Size:
    """A fit: seconds, peak MiB beside the input, working cells at the end, proven gap."""

    problem: Problem
    seconds: float
    peak: float
    working: int
    gap: float

    @property
    def cells(self) -> int:
        return len(self.problem.bags.instances)

    @property
    def input(self) -> float:
        """MiB of the cells."""
        return self.problem.bags.instances.nbytes / MIB

    @property
    def square(self) -> float:
        """MiB of a matrix of all cells by all cells."""
        return self.cells**2 * 8 / MIB


def measure(cells: int, runs: int) -> Size:
    patients = max(4, round(cells / CELLS_A_PATIENT))
    problem = simulated(f"{cells}", patients, round(POSITIVE * patients), cells)
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        end = whole(problem).separation
        seconds.append(time.process_time() - began)
    return Size(problem, float(np.median(seconds)), peak_of(problem), end.working, end.gap)


def peak_of(problem: Problem) -> float:
    """The most MiB that a fit holds beside its input."""
    tracemalloc.start()
    try:
        whole(problem)
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def exponent(cells: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The power of the number of cells with which values grow, by least squares."""
    return float(np.polyfit(np.log(cells), np.log(values), 1)[0])


def growth_table(sizes: list[Size]) -> Table:
    table = Table(title="MI-SVM, 100 features, one core")
    for column in ("cells", "patients", "seconds", "peak MiB", "times the input",
                   "MiB of cells by cells", "working cells", "gap"):  # fmt: skip
        table.add_column(column, justify="right")
    for size in sizes:
        table.add_row(
            f"{size.cells:,}", f"{len(size.problem.bags):,}", f"{size.seconds:.3f}",
            f"{size.peak:,.1f}", f"{size.peak / size.input:.2f}", f"{size.square:,.0f}",
            f"{size.working:,}", f"{size.gap:.0e}",
        )  # fmt: skip
    return table


def growth_figure(sizes: list[Size]) -> Figure:
    """Time and memory on logarithmic axes, beside a matrix of all cells by all cells."""
    cells = np.array([size.cells for size in sizes], dtype=np.float64)
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    seconds = np.array([size.seconds for size in sizes])
    _panel(left, cells, seconds, "CPU time of a fit (s)")
    peaks = np.array([size.peak for size in sizes])
    _panel(right, cells, peaks, "Peak memory beside the input (MiB)")
    right.plot(cells, [size.square for size in sizes], **REFERENCE)
    middle = sizes[len(sizes) // 2]
    right.text(1.3 * middle.cells, middle.square, "a matrix of cells by cells", va="top", **CAPTION)
    figure.suptitle(f"MI-SVM, 100 features, {CELLS_A_PATIENT} cells a patient, one core")
    return figure


def _panel(axes: Axes, cells: NDArray[np.float64], values: NDArray[np.float64], name: str) -> None:
    axes.loglog(cells, values, "o-", color=BLUE)
    axes.set_xlabel("Cells")
    axes.set_ylabel(name)
    axes.text(0.03, 0.95, f"grows as cells$^{{{exponent(cells, values):.2f}}}$",
              transform=axes.transAxes, va="top")  # fmt: skip
    axes.yaxis.set_minor_formatter(NullFormatter())
    clean_axes(axes, grid="both")


def ratio_line(sizes: list[Size]) -> str:
    cells, peaks = np.array([[size.cells, size.peak] for size in sizes]).T
    largest = sizes[-1]
    return (
        f"RATIO MI-SVM, {largest.cells:,} cells: memory, which grows as cells^"
        f"{exponent(cells, peaks):.2f}, against a matrix of all cells by all cells: "
        f"{largest.square / largest.peak:.0f}x (target: no such matrix), results proven, "
        f"gap at most {max(size.gap for size in sizes):.0e}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    arguments = parser.parse_args()
    with threadpool_limits(1):
        sizes = [measure(cells, arguments.runs) for cells in CELLS]
    growth_figure(sizes).savefig(arguments.figure, dpi=120)
    Console(width=120).print(growth_table(sizes))
    print(f"figure: {arguments.figure.name}")
    print(ratio_line(sizes))


if __name__ == "__main__":
    main()
