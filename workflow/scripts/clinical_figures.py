"""Figures: age and lymphocyte count of the training patients by label."""

import numpy as np

from lymphokit.cohort.tables import read_patients
from lymphokit.figures.clinical_distributions import AGE, LYMPHOCYTES, distribution_figure
from lymphokit.job import job

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    training = patients[patients["part"] == "train"]
    labels = training["label"].tolist()
    columns = {"age": ("age_years", AGE)}
    columns["lymphocytes"] = ("lymphocytes_giga_per_litre", LYMPHOCYTES)
    for output, (column, attribute) in columns.items():
        values = training[column].to_numpy(np.float64)
        figure = distribution_figure(values, labels, attribute)
        figure.savefig(snakemake.output[output], dpi=130)
