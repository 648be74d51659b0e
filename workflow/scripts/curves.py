"""Train D-MIL again and again on the split; draw how it learned."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_patients, read_table, write_table
from lymphokit.bags.patients import bags_of, clinical_of, labels_of
from lymphokit.features.bank import open_bank
from lymphokit.job import job
from lymphokit.studies.ablation import Labelled, learning_curves
from lymphokit.studies.learning_curves_figure import curve_figure

with job(snakemake.log[0], snakemake.threads):
    model, executions = snakemake.params.model, snakemake.params.settings["curve_executions"]
    patients = read_patients(snakemake.input.patients)
    split = read_table(snakemake.input.split)
    known, n_cells = np.flatnonzero(patients["part"] == "train"), patients["n_cells"].sum()
    bank = open_bank(Path(snakemake.input.bank[0]), n_cells)
    cohort = Labelled(
        {model["features"]: bags_of(patients, bank.features).take(known)},
        labels_of(patients)[known],
        clinical_of(patients).take(known),
    )
    curves = learning_curves(
        model, cohort, split, executions=executions, seed=snakemake.params.seed
    )
    write_table(curves, snakemake.output.curves)
    for metric in ("balanced_accuracy", "loss"):
        figure = curve_figure(curves, metric, executions=executions)
        figure.savefig(snakemake.output[metric], dpi=150)
