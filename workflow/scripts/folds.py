"""Draw the folds once; every later step reads this table."""

from lymphokit.cohort.folds import make_folds
from lymphokit.cohort.tables import read_patients, write_table
from lymphokit.job import job

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    folds = make_folds(patients, seed=snakemake.params.seed, **snakemake.params.settings)
    write_table(folds, snakemake.output.folds)
