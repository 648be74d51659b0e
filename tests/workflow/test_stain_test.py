"""The stain test comes with the main job, and its verdict stands under the score table."""

import pytest

from lymphokit.cohort.tables import read_table
from lymphokit.robustness.stain_verdict import survives
from tests.workflow.conftest import Checkout

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")


def test_the_stain_test_lies_beside_the_scores_after_the_main_job(finished: Checkout) -> None:
    home = finished.folder / "results/demo"
    table = read_table(home / "stain_test.csv")
    assert {"bag_kernel", "cell_types", "images"} <= set(table["model"])
    assert (home / "figures/stain_test.png").stat().st_size > 10_000
    assert "One cohort cannot tell" in finished.log("stain_test")
    assert isinstance(survives(table), bool)
