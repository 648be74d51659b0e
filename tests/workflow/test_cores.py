"""Results do not depend on the number of cores."""

from dataclasses import replace

import pytest

from tests.workflow.conftest import Checkout

pytestmark = pytest.mark.xdist_group("workflow")

# What is computed with two threads, and a fit on it.
TARGETS = [
    *(f"results/demo/features/autoencoder_{variant}.npy" for variant in ("raw", "segmented")),
    "results/demo/features/blood_cells.npy",
    *(f"results/demo/fold1/{model}/predictions.csv" for model in ("d_mil_tuned", "end_to_end")),
]
FIRST = ["pixels", "blood_cell_network"]  # of the rules with two threads: the others follow


@pytest.mark.parametrize("cores", [1, 4])
def test_as_many_cores_as_there_are_give_the_bytes_of_two(
    finished: Checkout, copied: Checkout, cores: int
) -> None:
    checkout = replace(copied, cores=cores)
    checkout.run(*TARGETS, "--forcerun", *FIRST)
    for target in TARGETS:
        ours, theirs = checkout.folder / target, finished.folder / target
        assert ours.read_bytes() == theirs.read_bytes(), target
