"""The comparison of starting networks runs on the demo, whose networks need no download."""

import csv

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")


def test_every_compared_network_has_a_history_and_the_figure_is_drawn(studied: Checkout) -> None:
    home = studied.folder / "results/demo"
    for network in ("tiny", "tiny_efficient"):
        with (home / f"labelled_cells/{network}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert {row["network"] for row in rows} == {network}
        assert all(0 <= float(row["accuracy"]) <= 1 for row in rows)
    assert (home / "figures/starting_networks.png").stat().st_size > 10_000
