"""Draw the folds once; every later step reads this table."""

import pandas as pd

from lymphokit.cohort.folds import make_folds
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    patients = pd.read_csv(snakemake.input.patients, dtype={"patient": str})
    folds = make_folds(patients, seed=snakemake.params.seed, **snakemake.params.settings)
    folds.to_csv(snakemake.output.folds, index=False)
