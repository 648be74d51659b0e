"""Blend the models of one fold; everything is chosen on the fold's inner predictions."""

import json
from pathlib import Path

import pandas as pd

from lymphokit.ensemble.fold import MemberPredictions, blend_fold, recipes
from lymphokit.evaluation.out_of_fold import read_predictions
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    rule = snakemake.params.threshold
    patients = pd.read_csv(snakemake.input.patients, dtype={"patient": str})
    tables = map(read_predictions, map(Path, snakemake.input.predictions))
    panel = MemberPredictions.from_tables(
        dict(zip(snakemake.params.models, tables, strict=True)), patients
    )
    blends, chosen = blend_fold(panel, recipes(rule=rule, **snakemake.params.blends), rule)
    together = pd.concat([table.assign(blend=name) for name, table in blends.items()])
    together.to_csv(snakemake.output.predictions, index=False)
    Path(snakemake.output.chosen).write_text(json.dumps(chosen, indent=2) + "\n")
