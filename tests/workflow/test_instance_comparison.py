"""The comparison of naive instance networks runs on the demo, whose networks need no download."""

import csv

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")


def test_every_compared_network_is_scored_with_both_aggregations(studied: Checkout) -> None:
    with (studied.folder / "results/demo/instance_comparison/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    forms = {(row["network"], row["aggregation"], row["clinical"]) for row in rows}
    assert len(forms) == len(rows) == 2 * 2 * 2
    assert {network for network, *_ in forms} == {"tiny", "tiny_efficient"}
