"""Draw cells of each patient at random, refit the models, and show how far the scores differ."""

from rich.console import Console

from lymphokit.cohort.tables import read_folds, read_patients, write_table
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.robustness.cell_draws import (
    DrawCohort,
    draw_decisions,
    draw_predictions,
    draw_scores,
    draw_summary,
)
from lymphokit.robustness.draws_figure import draws_figure, draws_terminal_table, findings

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    settings, uncertainty = snakemake.params.settings, snakemake.params.uncertainty
    banks = open_features(snakemake.input.banks, patients["n_cells"].sum())
    cohort = DrawCohort.from_tables(patients, banks, read_folds(snakemake.input.folds))
    predictions = draw_predictions(
        cohort,
        snakemake.params.models,
        snakemake.params.clinical,
        numbers=settings["cells"],
        draws=settings["draws"],
        seed=snakemake.params.seed,
    )
    decisions = draw_decisions(predictions, snakemake.params.threshold)
    scores, seed = draw_scores(decisions), snakemake.params.seed
    summary = draw_summary(decisions, cohort.sizes, seed=seed, **uncertainty)
    write_table(scores, snakemake.output.scores)
    write_table(summary, snakemake.output.summary)
    level = uncertainty["level"]
    draws_figure(scores, summary, level=level).savefig(snakemake.output.figure, dpi=150)
    console = Console(width=140)
    console.print(draws_terminal_table(summary, level=level))
    console.print("\n".join(findings(summary, level=level)), highlight=False)
