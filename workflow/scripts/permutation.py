"""Permutation test: p-values of all shuffles, their figure and table."""

import pandas as pd
from rich.console import Console

from lymphokit.cohort.tables import (
    read_folds,
    read_patients,
    read_predictions,
    read_table,
    write_table,
)
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.studies.permutation import observed_scores, permutation_table, require_agreement
from lymphokit.studies.permutation_figure import permutation_figure, permutation_terminal_table
from lymphokit.studies.refit import RefitCohort

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    cohort = RefitCohort.from_tables(
        patients,
        snakemake.params.models,
        open_features(snakemake.input.banks, patients["n_cells"].sum()),
        stack_C=snakemake.params.stack_C,
    )
    plain = cohort.batch(read_folds(snakemake.input.folds))
    run = read_predictions(snakemake.input.run, snakemake.params.compared)
    require_agreement(cohort, plain, run)

    null = pd.concat(map(read_table, snakemake.input.null), ignore_index=True)
    observed = observed_scores(cohort, plain, snakemake.params.threshold)
    table = permutation_table(observed, null)
    write_table(table, snakemake.output.table)
    n_patients = len(cohort.labels)
    figure = permutation_figure(table, null, n_patients=n_patients, clinical=cohort.clinical_model)
    figure.savefig(snakemake.output.figure, dpi=150)
    Console(width=140).print(permutation_terminal_table(table, n_patients=n_patients))
