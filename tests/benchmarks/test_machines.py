"""The differences that benchmarks/machines.py prints are those of its tables."""

import pandas as pd
import pytest

from tests.benchmark_module import load_benchmark

compare = load_benchmark("machines").compare


def test_differences_are_those_of_the_same_patient_and_fold() -> None:
    plain = pd.DataFrame(
        {
            "fold": 1,
            "patient": ["P1", "P2", "P3", "P4", "P9"],
            "part": [*(["validation"] * 4), "test"],
            "label": [0, 0, 1, 1, -1],
            "model": "pooled",
            "probability": [0.1, 0.2, 0.8, 0.9, 0.5],
            "decision": [0, 0, 1, 1, 1],
        }
    )
    other = plain.iloc[::-1].assign(probability=[0.5, 0.9, 0.4, 0.2, 0.1], decision=[1, 1, 0, 0, 0])
    row = compare(plain, other).loc["pooled"]
    assert row["largest"] == pytest.approx(0.4)
    assert row["median"] == 0
    assert row["labels"] == pytest.approx(1 / 5)
    assert row["balanced_accuracy"] == pytest.approx(-0.25)
