"""The tests by shuffles and by draws of folds and cells run beside the main job, unfelt by it."""

import csv

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")


def test_shuffles_and_drawings_are_printed_and_drawn(studied: Checkout) -> None:
    assert "n = 36 patients, 99 shuffles" in studied.log("permutation")
    assert "single splits, n = 36 patients" in studied.log("spread")
    folder = studied.folder / "results/demo"
    with (folder / "permutation/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    tests = {(row["model"], row["shuffle"]) for row in rows}
    of_labels = {(name, "labels") for name in ("clinical", "pooled", "pooled+clinical")}
    of_images = {("pooled+clinical", f"images{like}") for like in ("", "_of_size", "_of_risk")}
    assert tests == of_labels | of_images
    assert {row["shuffles"] for row in rows} == {"99"}
    assert all(0.01 <= float(row["p"]) <= 1 for row in rows)
    with (folder / "spread/splits.csv").open() as file:
        splits = list(csv.DictReader(file))
    assert len(splits) == 3 * (2 * 2 + 2)  # models, of parts and drawings
    assert "Draws of cells, n = 36 patients" in studied.log("cell_draws")
    with (folder / "cell_draws.csv").open() as file:
        scores = list(csv.DictReader(file))
    assert len(scores) == 2 * 2 * (
        2 + 1
    )  # models, with and without age and count, draws of 2 and of all
    for name in ("permutation", "spread", "cell_draws"):
        assert (folder / f"figures/{name}.png").stat().st_size > 10_000
