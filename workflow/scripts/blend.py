"""Blend the models of one fold; everything is chosen on the fold's inner predictions."""

from pathlib import Path

import pandas as pd

from lymphokit.cohort.tables import read_patients, read_table, write_table
from lymphokit.ensemble.fold import MemberPredictions, blend_fold, recipes
from lymphokit.files import write_json
from lymphokit.job import job

with job(snakemake):
    rule = snakemake.params.threshold
    patients = read_patients(snakemake.input.patients)
    tables = map(read_table, snakemake.input.predictions)
    panel = MemberPredictions.from_tables(
        dict(zip(snakemake.params.models, tables, strict=True)), patients
    )
    blends, chosen = blend_fold(panel, recipes(rule=rule, **snakemake.params.blends), rule)
    together = pd.concat([table.assign(blend=name) for name, table in blends.items()])
    write_table(together, snakemake.output.predictions)
    write_json(Path(snakemake.output.chosen), chosen)
