"""Score every model of images alone and with age and count."""

from rich.console import Console

from lymphokit.cohort.tables import read_folds, read_patients, read_predictions, write_table
from lymphokit.job import job
from lymphokit.robustness.image_models import image_model_table, image_models_terminal_table

with job(snakemake):
    params = snakemake.params
    folds = read_folds(snakemake.input.folds)
    table = image_model_table(
        read_predictions(snakemake.input.models, params.models),
        read_patients(snakemake.input.patients),
        folds.groupby("fold")["repeat"].first().to_dict(),
        clinical=params.clinical,
        rule=params.threshold,
        seed=params.seed,
        **params.uncertainty,
    )
    write_table(table, snakemake.output.table)
    made = f"{folds['fold'].nunique()} folds"
    level = params.uncertainty["level"]
    shown = image_models_terminal_table(table, folds=made, level=level)
    Console(width=180).print(shown)
