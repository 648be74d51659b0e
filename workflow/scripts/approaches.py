"""Score every approach of the report that can run, the report's figures beside ours."""

from rich.console import Console

from lymphokit.cohort.tables import (
    read_folds,
    read_patients,
    read_predictions,
    read_table,
    write_table,
)
from lymphokit.ensemble.assembly import assemble
from lymphokit.job import job
from lymphokit.studies.approaches import approaches_table, approaches_terminal_table

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
    table = approaches_table(assembled.scores)
    write_table(table, snakemake.output.table)
    shown = {"folds": f"{n_folds} folds", "level": params.uncertainty["level"]}
    Console(width=150).print(approaches_terminal_table(table, **shown))
