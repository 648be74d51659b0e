"""Train D-MIL and its variants several times: the report's table 1 beside ours, learning curves."""

import numpy as np
from rich.console import Console

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.tables import read_patients, read_table, write_table
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.models.registry import settings_of
from lymphokit.studies.ablation import AblationCohort, ablate, learning_curves, summarise
from lymphokit.studies.ablation_figure import ablation_terminal_table, learning_curve_figure

with job(snakemake):
    settings, model = snakemake.params.settings, settings_of(snakemake.params.model)
    patients = read_patients(snakemake.input.patients)
    known = np.flatnonzero(patients["part"] == "train")
    paths = (snakemake.input.bank[0], snakemake.input.segmented[0])
    banks = open_features(paths, patients["n_cells"].sum())
    cohort = AblationCohort(
        {name: bags_of(patients, features).take(known) for name, features in banks.items()},
        labels_of(patients)[known],
        clinical_of(patients).take(known),
    )
    schemes = {scheme: read_table(snakemake.input[scheme]) for scheme in ("split", "folds")}
    executions, seed = settings["executions"], snakemake.params.seed
    scores = ablate(
        model,
        cohort,
        schemes,
        segmented_features=settings["segmented_features"],
        executions=executions,
        rule=snakemake.params.threshold,
        seed=seed,
    )
    write_table(scores, snakemake.output.executions)
    summary = summarise(scores)
    write_table(summary, snakemake.output.table)
    drawn = settings["curve_executions"]
    curves = learning_curves(model, cohort, schemes["split"], executions=drawn, seed=seed)
    write_table(curves, snakemake.output.curves)
    for metric in ("balanced_accuracy", "loss"):
        figure = learning_curve_figure(curves, metric, executions=drawn)
        figure.savefig(snakemake.output[metric], dpi=150)
    table = ablation_terminal_table(summary, executions=executions, n_patients=len(known))
    Console(width=160).print(table)
