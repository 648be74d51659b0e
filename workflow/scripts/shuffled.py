"""Refit the models on some of the shuffles; jobs take turns."""

from pathlib import Path

import pandas as pd

from lymphokit.features.bank import open_bank
from lymphokit.job import job
from lymphokit.studies.permutation import permutation_scores
from lymphokit.studies.refit_scores import RefitCohort

with job(snakemake.log[0], snakemake.threads):
    settings = snakemake.params.settings
    patients = pd.read_csv(snakemake.input.patients, dtype={"patient": str})
    n_cells = patients["n_cells"].sum()
    cohort = RefitCohort.from_tables(
        patients,
        snakemake.params.models,
        {
            Path(bank).stem: open_bank(Path(bank), n_cells).features
            for bank in snakemake.input.banks
        },
        stack_C=snakemake.params.stack_C,
    )
    first = int(snakemake.wildcards.job)
    null = permutation_scores(
        cohort,
        snakemake.wildcards.shuffle,
        range(first, settings["shuffles"] + 1, settings["jobs"]),
        folds=pd.read_csv(snakemake.input.folds, dtype={"patient": str}),
        fold_settings=snakemake.params.fold_settings,
        rule=snakemake.params.threshold,
        neighbours=settings["neighbours"],
        seed=snakemake.params.seed,
    )
    null.to_csv(snakemake.output.null, index=False)
