"""Fit MI-SVM with and without preprocessing, and with clinical data: the report's tables of 5.1."""

from rich.console import Console

from lymphokit.cohort.tables import read_patients, read_table, write_table
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.studies.preprocessing import (
    PreprocessingCohort,
    compare_preprocessing,
    compared_models,
    preprocessing_terminal_table,
)

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    banks = open_features(snakemake.input.banks, patients["n_cells"].sum())
    table = compare_preprocessing(
        compared_models(**snakemake.params.models),
        PreprocessingCohort(patients, banks),
        {scheme: read_table(snakemake.input[scheme]) for scheme in ("split", "folds")},
        rule=snakemake.params.threshold,
        uncertainty=snakemake.params.uncertainty,
        seed=snakemake.params.seed,
    )
    write_table(table, snakemake.output.table)
    Console(width=140).print(preprocessing_terminal_table(table))
