"""Score the naive instance-level networks that are compared, on the report's split."""

from rich.console import Console

from lymphokit.cohort.tables import read_fold, read_patients, write_table
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.pseudo_labels.instance_comparison import (
    compare_instance_networks,
    instance_terminal_table,
)

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    table = compare_instance_networks(
        open_features(snakemake.input.banks, patients["n_cells"].sum()),
        patients,
        read_fold(snakemake.input.split, 1),
        snakemake.params.boosting,
        rule=snakemake.params.threshold,
        uncertainty=snakemake.params.uncertainty,
        seed=snakemake.params.seed,
    )
    write_table(table, snakemake.output.table)
    Console(width=140).print(instance_terminal_table(table))
