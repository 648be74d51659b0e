"""Permutation test: scores of the models refitted on a part of the shuffles."""

from lymphokit.cohort.tables import read_folds, read_patients, write_table
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.studies.permutation import permutation_scores
from lymphokit.studies.refit import RefitCohort

with job(snakemake):
    settings = snakemake.params.settings
    patients = read_patients(snakemake.input.patients)
    cohort = RefitCohort.from_tables(
        patients,
        snakemake.params.models,
        open_features(snakemake.input.banks, patients["n_cells"].sum()),
        stack_C=snakemake.params.stack_C,
    )
    # Job i refits on shuffles i, i + jobs, i + 2 jobs, ...: all jobs together on each shuffle once.
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
