"""Assemble the folds: the out-of-fold table, the decisions, the scores and their figures."""

import pandas as pd

from lymphokit.cohort.tables import read_folds, read_patients, read_table, write_table
from lymphokit.ensemble import naive
from lymphokit.ensemble.fold import recipes, rule_for
from lymphokit.evaluation.out_of_fold import decision_table, out_of_fold_table
from lymphokit.evaluation.uncertainty import score_table
from lymphokit.figures.scores import roc_curves, score_forest
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    folds = read_folds(snakemake.input.folds)
    repeat_of = folds.groupby("fold")["repeat"].first().to_dict()
    names = snakemake.params.models
    paths = iter(snakemake.input.models)
    predictions = {name: [read_table(next(paths)) for _ in repeat_of] for name in names}
    blended = [read_table(path) for path in snakemake.input.blends]
    blends = recipes(rule=naive.RULE, **snakemake.params.blends)
    patients = read_patients(snakemake.input.patients)
    optimistic = naive.naive_scores(predictions, list(repeat_of.values()), patients, blends)
    for name in blends:
        predictions[name] = [table[table["blend"] == name] for table in blended]

    rule, uncertainty = snakemake.params.threshold, snakemake.params.uncertainty
    decided = pd.concat(
        decision_table(
            table, model=name, fold=fold, repeat=repeat_of[fold], rule=rule_for(name, rule)
        )
        for name, tables in predictions.items()
        for fold, table in zip(repeat_of, tables, strict=True)
    )
    scored = folds.drop_duplicates("patient")["patient"].tolist()
    scores = score_table(decided, list(predictions), seed=snakemake.params.seed, **uncertainty)
    scores.insert(1, "features", [snakemake.params.features.get(name, "") for name in predictions])
    scores.insert(scores.columns.get_loc("high") + 1, "naive", scores["model"].map(optimistic))

    write_table(out_of_fold_table(predictions, scored), snakemake.output.oof)
    write_table(decided, snakemake.output.decisions)
    write_table(scores, snakemake.output.scores)
    made = f"{len(repeat_of)} folds"
    submitted = snakemake.params.submitted
    forest = score_forest(scores, submitted=submitted, folds=made, **uncertainty)
    forest.savefig(snakemake.output.figure, dpi=150)
    shown = list(dict.fromkeys([submitted, "clinical", *blends]))[:4]
    shown = [name for name in shown if name in predictions]
    roc_curves(decided, scores, shown, folds=made).savefig(snakemake.output.roc, dpi=150)
