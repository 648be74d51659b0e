"""The three MIL unit tests for every model that reads features; no patient is needed."""

from functools import partial

import pandas as pd
from rich.console import Console

from lymphokit.cohort.tables import write_table
from lymphokit.job import job
from lymphokit.models.registry import create
from lymphokit.progress import track
from lymphokit.studies.mil_checks import mil_checks_terminal_table, run_mil_checks

TRAINING_BAGS, TEST_BAGS = 200, 400

with job(snakemake):
    results = {}
    for name, settings in track(snakemake.params.models.items(), "checks of models"):
        results[name] = run_mil_checks(
            partial(create, settings),
            seed=snakemake.params.seed,
            n_train=TRAINING_BAGS,
            n_test=TEST_BAGS,
        )
    table = pd.concat(results, names=["model"]).reset_index("model")
    write_table(table, snakemake.output.checks)
    Console(width=120).print(mil_checks_terminal_table(table))
