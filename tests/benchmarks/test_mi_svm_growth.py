"""MI-SVM's memory grows with the cells, and the benchmark of it counts what it says."""

import numpy as np
import pytest

from lymphokit.bags.packed import Bags
from tests.benchmark_module import load_benchmark


def test_memory_grows_with_the_cells_and_not_with_their_square() -> None:
    benchmark = load_benchmark("mi_svm_growth")
    sizes = [benchmark.measure(cells, runs=1) for cells in (2_000, 8_000)]
    assert [size.cells for size in sizes] == [2_000, 8_000]
    assert sizes[1].peak / sizes[0].peak == pytest.approx(4.0, rel=0.2)
    assert sizes[1].peak < sizes[1].square / 16
    assert max(size.gap for size in sizes) < 1e-9


def test_a_matrix_of_all_cells_by_all_cells_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = load_benchmark("mi_svm_growth")
    problem = benchmark.simulated("toy", 8, 5, 1_000)

    def product(problem: object) -> None:
        cells = problem.bags.instances  # type: ignore[attr-defined]
        assert isinstance(problem.bags, Bags)  # type: ignore[attr-defined]
        _ = cells @ cells.T

    monkeypatch.setattr(benchmark, "whole", product)
    assert benchmark.peak_of(problem) == pytest.approx(1_000**2 * 8 / 2**20, rel=0.05)


def test_the_exponent_is_that_of_a_power() -> None:
    cells = np.array([10.0, 100.0, 1000.0])
    assert load_benchmark("mi_svm_growth").exponent(cells, 3.0 * cells**1.5) == pytest.approx(1.5)
