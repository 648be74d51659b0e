"""Draw the folds repeatedly, refit the models, and show the scores of single splits."""

from rich.console import Console

from lymphokit.cohort.tables import read_patients, write_table
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.studies.refit import RefitCohort
from lymphokit.studies.spread import split_scores, spread_decisions, spread_table
from lymphokit.studies.spread_figure import spread_figure, spread_terminal_table

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    uncertainty = snakemake.params.uncertainty
    cohort = RefitCohort.from_tables(
        patients,
        snakemake.params.models,
        open_features(snakemake.input.banks, patients["n_cells"].sum()),
        stack_C=snakemake.params.stack_C,
    )
    decisions = spread_decisions(
        cohort,
        repeats=snakemake.params.repeats,
        fold_settings=snakemake.params.fold_settings,
        rule=snakemake.params.threshold,
        seed=snakemake.params.seed,
    )
    splits = split_scores(decisions)
    table = spread_table(decisions, seed=snakemake.params.seed, **uncertainty)
    write_table(splits, snakemake.output.splits)
    write_table(table, snakemake.output.table)
    shown = {"n_patients": len(cohort.labels), "level": uncertainty["level"]}
    figure = spread_figure(table, splits, **shown)
    figure.savefig(snakemake.output.figure, dpi=150)
    Console(width=140).print(spread_terminal_table(table, **shown))
