"""Permutation test: scores of the models refitted on a part of the shuffles."""

from pathlib import Path

from lymphokit.cohort.tables import read_folds, read_patients, write_table
from lymphokit.features.bank import open_bank
from lymphokit.job import job
from lymphokit.studies.permutation import permutation_scores
from lymphokit.studies.refit_scores import RefitCohort

with job(snakemake.log[0], snakemake.threads):
    settings = snakemake.params.settings
    patients = read_patients(snakemake.input.patients)
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
        folds=read_folds(snakemake.input.folds),
        fold_settings=snakemake.params.fold_settings,
        rule=snakemake.params.threshold,
        neighbours=settings["neighbours"],
        seed=snakemake.params.seed,
    )
    write_table(null, snakemake.output.null)
