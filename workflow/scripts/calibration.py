"""Calibrate every model in every fold on inner predictions; measure the effect out of fold."""

from pathlib import Path

from rich.console import Console

from lymphokit.calibration import reliability
from lymphokit.calibration.reliability_figure import (
    calibration_terminal_table,
    reliability_figure,
    sensitivity_sentences,
)
from lymphokit.cohort.tables import read_folds, read_predictions, read_table, write_table
from lymphokit.ensemble.assembly import split_blends
from lymphokit.files import write_json
from lymphokit.job import job

SHOWN = 2

with job(snakemake):
    settings, uncertainty = snakemake.params.settings, snakemake.params.uncertainty
    compared, level = snakemake.params.compared, uncertainty["level"]
    method, n_bins = settings["method"], settings["bins"]
    folds = read_folds(snakemake.input.folds)
    repeat_of = folds.groupby("fold")["repeat"].first().to_dict()
    tables = read_predictions(snakemake.input.models, snakemake.params.models)
    tables |= split_blends([read_table(path) for path in snakemake.input.blends])
    predictions = {
        name: dict(zip(repeat_of, of_folds, strict=True)) for name, of_folds in tables.items()
    }

    calibrated, learned = reliability.calibrate_all(predictions, repeat_of, method=method)
    write_table(calibrated, snakemake.output.calibrated)
    write_json(Path(snakemake.output.learned), learned)
    table = reliability.calibration_table(
        calibrated, list(predictions), n_bins=n_bins, seed=snakemake.params.seed, **uncertainty
    )
    write_table(table, snakemake.output.table)
    wanted = reliability.sensitivity_table(
        predictions, repeat_of, wanted=settings["sensitivities"], level=level
    )
    write_table(wanted, snakemake.output.sensitivity)
    shown = reliability.most_changed(table, compared, SHOWN)
    points = reliability.reliability_bins(calibrated, shown, n_bins=n_bins, level=level)
    words = {"submitted": compared[0], "method": method, "level": level}
    reliability_figure(points, table, **words).savefig(snakemake.output.figure, dpi=150)
    lines = sensitivity_sentences(wanted, compared)
    Console(width=130).print(calibration_terminal_table(table, **words), *lines, sep="\n")
