"""The ablation runs on a cohort that the main job has finished, and leaves the main job alone."""

import csv

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")


def test_the_ablation_prints_the_reports_table_beside_ours(studied: Checkout) -> None:
    assert ".759 ± .036 (.834)" in studied.log("ablation")
    folder = studied.folder / "results/demo"
    with (folder / "ablation/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["source"] for row in rows} == {"report", "split", "folds"}
    with (folder / "ablation/executions.csv").open() as file:
        executions = list(csv.DictReader(file))
    # Six variants and two more optimizers, two executions, the split and two folds.
    assert len(executions) == 8 * 2 * 3
    for metric in ("balanced_accuracy", "loss"):
        assert (folder / f"figures/curve_{metric}.png").stat().st_size > 10_000
