"""What predicts the label without being medicine, what tells train from test, and bag size."""

import pandas as pd
from rich.console import Console

from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.studies.bag_size import bag_size_scores, users_of_bag_size
from lymphokit.studies.confounders import Trial, label_scores, train_or_test_scores
from lymphokit.studies.confounders_figure import confounder_forest
from lymphokit.studies.confounders_text import (
    bag_size_sentences,
    confounder_table,
    label_sentence,
    shift_sentence,
)
from lymphokit.studies.nuisance_columns import column_differences, suspect_table
from lymphokit.studies.probes import Learners

with job(snakemake.log[0], snakemake.threads):
    read = {
        name: pd.read_csv(snakemake.input[name], dtype={"patient": str})
        for name in ("patients", "artefacts", "folds", "decisions")
    }
    models, level = snakemake.params.models, snakemake.params.uncertainty["level"]
    judged = {**snakemake.params.uncertainty, "seed": snakemake.params.seed}
    trial = Trial(Learners(**snakemake.params.settings), **judged)
    table = suspect_table(read["patients"], read["artefacts"])
    labels = label_scores(table, read["folds"], trial)
    shift = train_or_test_scores(table, trial, **snakemake.params.parts)
    columns = column_differences(table)
    sizes = bag_size_scores(read["decisions"], models, **judged)

    questions = {"label": labels, "train_or_test": shift}
    scores = pd.concat(questions, names=["question"]).reset_index("question")
    scores.to_csv(snakemake.output.scores, index=False)
    columns.to_csv(snakemake.output.columns, index=False)
    sizes.to_csv(snakemake.output.bag_size, index=False)
    made = {"resamples": trial.resamples, "level": level}
    confounder_forest(labels, shift, **made).savefig(snakemake.output.figure, dpi=150)
    Console(width=140).print(confounder_table(labels, shift, level=level))
    users = users_of_bag_size(models)
    say(label_sentence(labels, level))
    say(shift_sentence(shift, columns, level))
    for sentence in bag_size_sentences(sizes, users, len(models) - len(users)):
        say(sentence)
