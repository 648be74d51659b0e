"""Assemble the folds: the out-of-fold table, the decisions, the scores and their figures."""

from lymphokit.cohort.tables import (
    read_folds,
    read_patients,
    read_predictions,
    read_table,
    write_table,
)
from lymphokit.ensemble.assembly import assemble
from lymphokit.evaluation.out_of_fold import out_of_fold_table
from lymphokit.figures.scores import roc_curves, score_forest
from lymphokit.job import job

with job(snakemake):
    params = snakemake.params
    folds = read_folds(snakemake.input.folds)
    n_folds = folds["fold"].nunique()
    assembled = assemble(
        read_predictions(snakemake.input.models, params.models),
        [read_table(path) for path in snakemake.input.blends],
        folds,
        read_patients(snakemake.input.patients),
        blends=params.blends,
        rule=params.threshold,
        uncertainty=params.uncertainty,
        seed=params.seed,
    )
    names, scores = list(assembled.predictions), assembled.scores
    scores.insert(1, "features", [params.features.get(name, "") for name in names])
    scored = folds.drop_duplicates("patient")["patient"].tolist()
    write_table(out_of_fold_table(assembled.predictions, scored), snakemake.output.oof)
    write_table(assembled.decisions, snakemake.output.decisions)
    write_table(scores, snakemake.output.scores)
    made, submitted = f"{n_folds} folds", params.submitted
    drawn = {"submitted": submitted, "folds": made, "faded": params.faded}
    forest = score_forest(scores, **drawn, **params.uncertainty)
    forest.savefig(snakemake.output.figure, dpi=150)
    blends = [name for name in names if name not in params.models]
    shown = list(dict.fromkeys([submitted, "clinical", *blends]))[:4]
    shown = [name for name in shown if name in names]
    figure = roc_curves(assembled.decisions, scores, shown, folds=made)
    figure.savefig(snakemake.output.roc, dpi=150)
