"""The benchmark on bag files: what it refuses, and a tiny run."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lymphokit.errors import LymphokitError
from tests.benchmark_module import load_benchmark


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_benchmark("mil_benchmarks")


def arrays(n_bags: int = 14) -> dict[str, Any]:
    """Bags of two cells; a cell of each bag with label 1 lies far out."""
    labels = np.arange(n_bags) % 2
    cells = np.random.default_rng(0).normal(size=(2 * n_bags, 3))
    cells[::2, 0] += 20.0 * labels
    return {"instances": cells, "offsets": 2 * np.arange(n_bags + 1), "labels": labels}


def broken(key: str, value: Any) -> dict[str, Any]:
    return arrays() | {key: np.asarray(value)}


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (broken("labels", np.arange(14)), "labels are not 0 or 1"),
        (broken("offsets", np.arange(14)), "14 labels ask for one more"),
        (broken("offsets", 2 * np.arange(1, 16)), "do not rise from 0 to the 28 instances"),
        (broken("offsets", [0, 0, *range(4, 29, 2)]), "every bag with some"),
        (broken("instances", np.full((28, 3), np.nan)), "not a finite number"),
        (broken("instances", np.full((28, 3), "a")), "not numbers"),
        (broken("instances", np.zeros(28)), "shape (28,)"),
        ({"instances": np.zeros((2, 2))}, "offsets (bags + 1,)"),
    ],
)
def test_a_malformed_file_is_named_with_its_fault(
    benchmark: ModuleType, tmp_path: Path, content: dict[str, Any], finding: str
) -> None:
    np.savez(tmp_path / "odd.npz", **content)
    with pytest.raises(LymphokitError, match=r"odd\.npz") as refusal:
        benchmark.load(tmp_path / "odd.npz")
    assert finding in str(refusal.value)


def test_a_file_that_is_no_archive_is_refused(benchmark: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("cells")
    with pytest.raises(LymphokitError, match="is no set of bags"):
        benchmark.load(tmp_path / "text.npz")


def test_too_few_bags_for_the_folds_are_refused(benchmark: ModuleType, tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", **arrays(n_bags=10))
    with pytest.raises(LymphokitError, match=r"few: 5 bags of a label .* 6 are needed"):
        benchmark.tests_of(benchmark.load(tmp_path / "few.npz"), 2, 1)


def test_every_bag_is_tested_once_a_repeat(benchmark: ModuleType, tmp_path: Path) -> None:
    np.savez(tmp_path / "toy.npz", **arrays())
    tests = benchmark.tests_of(benchmark.load(tmp_path / "toy.npz"), 3, 2)
    np.testing.assert_array_equal(tests.reshape(2, 3, -1).sum(axis=1), 1)
    assert not np.array_equal(tests[:3], tests[3:])


def test_a_tiny_run_prints_a_table(
    benchmark: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "toy.npz", **arrays())
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path), "--folds", "2", "--repeats", "1"])
    monkeypatch.setattr(benchmark, "WIDTHS", (8, 4))
    benchmark.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│ toy")]
    methods = [row.split("│")[2].strip() for row in rows]
    one = "one of the five networks"
    wanted = ["MI-SVM, linear", "MI-SVM, RBF", "attention", one, "gated attention", one]
    assert methods == wanted
    assert "1.000" in rows[0]
