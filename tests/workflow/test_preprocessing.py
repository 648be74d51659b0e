"""The preprocessing tables run on a cohort that the main job has finished."""

import csv

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")


def test_the_tables_of_5_1_stand_beside_ours(studied: Checkout) -> None:
    assert "Without Preprocessing" in studied.log("preprocessing")
    with (studied.folder / "results/demo/preprocessing/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Three rows of 5.1.1 and three of 5.1.2: the report's, ours on the split and on the folds.
    assert [row["source"] for row in rows] == ["report"] * 6 + ["split"] * 6 + ["folds"] * 6
    ours = [row for row in rows if row["source"] != "report"]
    assert all(0 <= float(row["naive"]) <= 1 for row in ours)
    assert {row["n_patients"] for row in ours if row["source"] == "folds"} == {"36"}
