"""Blend the models of one fold; everything is chosen on the fold's inner predictions."""

import json
from pathlib import Path

import pandas as pd

from lymphokit.ensemble.fold import Panel, blend_fold
from lymphokit.evaluation.oof import read_predictions
from lymphokit.job import job
from lymphokit.mil.registry import kind_of

with job(snakemake.log[0], snakemake.threads):
    kinds = snakemake.params.kinds
    patients = pd.read_csv(snakemake.input.patients, dtype={"patient": str})
    tables = map(read_predictions, map(Path, snakemake.input.predictions))
    panel = Panel.of(dict(zip(kinds, tables, strict=True)), patients)
    blends, chosen = blend_fold(
        panel,
        image_models=[name for name, kind in kinds.items() if kind_of(kind).uses_images],
        rule=snakemake.params.threshold,
        **snakemake.params.settings,
    )
    together = pd.concat([table.assign(blend=name) for name, table in blends.items()])
    together.to_csv(snakemake.output.predictions, index=False)
    Path(snakemake.output.chosen).write_text(json.dumps(chosen, indent=2) + "\n")
