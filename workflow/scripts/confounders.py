"""Linear probes of candidate confounders, and the effect of bag size on the scores."""

import pandas as pd
from rich.console import Console

from lymphokit.cohort.tables import read_table, write_table
from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.studies.bag_size import bag_size_scores, bag_size_sentences
from lymphokit.studies.confounders import ConfounderStudy, label_scores, train_or_test_scores
from lymphokit.studies.confounders_figure import (
    confounder_forest,
    confounder_terminal_table,
    label_sentence,
    shift_sentence,
)
from lymphokit.studies.nuisance_columns import column_differences, confounder_columns
from lymphokit.studies.probes import ProbeSettings

with job(snakemake):
    read = {
        name: read_table(snakemake.input[name])
        for name in ("patients", "artefacts", "folds", "decisions")
    }
    models, level = snakemake.params.models, snakemake.params.uncertainty["level"]
    bootstrap = {**snakemake.params.uncertainty, "seed": snakemake.params.seed}
    study = ConfounderStudy(ProbeSettings(**snakemake.params.settings), **bootstrap)
    table = confounder_columns(read["patients"], read["artefacts"])
    labels = label_scores(table, read["folds"], study)
    shift = train_or_test_scores(table, study, **snakemake.params.parts)
    columns = column_differences(table)
    sizes = bag_size_scores(read["decisions"], models, **bootstrap)

    targets = {"label": labels, "train_or_test": shift}
    scores = pd.concat(targets, names=["target"]).reset_index("target")
    write_table(scores, snakemake.output.scores)
    write_table(columns, snakemake.output.columns)
    write_table(sizes, snakemake.output.bag_size)
    figure = confounder_forest(labels, shift, resamples=study.resamples, level=level)
    figure.savefig(snakemake.output.figure, dpi=150)
    Console(width=140).print(confounder_terminal_table(labels, shift, level=level))
    say(label_sentence(labels, level))
    say(shift_sentence(shift, columns, level))
    for sentence in bag_size_sentences(sizes, n_models=len(models)):
        say(sentence)
