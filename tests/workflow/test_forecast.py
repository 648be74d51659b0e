"""The forecast of `lymphokit plan` has the jobs that Snakemake would run."""

import re

import pytest

from lymphokit.desk.forecast import forecast
from lymphokit.desk.run_plan import read_plan

from .conftest import MORE, TINY, Checkout

SHARE = 0.02  # of the jobs, by which the two may differ: the target itself is one


@pytest.mark.parametrize(
    "changes",
    [
        "seed: 1",
        "folds: {k: 3, repeats: 2}",
        "pseudo_label: {rounds: [{count: 4, add: 1}], start: bags}",
        "models: {pseudo_label_xgb: {enabled: false}, bag_kernel: {enabled: false}}",
        "submission: {blend: clinical}\nensemble: {choices: {}}",
        "models: {instance_cnn: {enabled: true}, pooled_blood: {enabled: true}}",
    ],
)
def test_the_number_of_jobs_is_that_of_a_dry_run(fresh: Checkout, changes: str) -> None:
    fresh.configure(changes)
    printed = fresh.run("submission", "--dry-run")
    (total,) = {int(number) for number in re.findall(r"^total +(\d+)$", printed, re.M)}
    coming = forecast(read_plan(fresh.folder, [TINY, fresh.folder / MORE]), {})
    assert len(coming.jobs) == pytest.approx(total, rel=SHARE, abs=2)
