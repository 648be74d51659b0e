"""Check the folder of blood cells and draw the parts that train and validate."""

import json
from pathlib import Path

import pandas as pd

from lymphokit.cohort.blood_cells import list_cells, split
from lymphokit.imaging.labelled import check_photographs
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake.log[0], snakemake.threads):
    home, cells = list_cells(Path(snakemake.params.folder))
    parts = split(cells, validation=snakemake.params.validation, seed=snakemake.params.seed)
    table = pd.DataFrame(
        [(cell.file, cell.type, part) for part, chosen in parts.items() for cell in chosen],
        columns=["file", "type", "part"],
    )
    check_photographs(home, table["file"].tolist())
    table.to_csv(snakemake.output.table, index=False)
    about = {"home": str(home), "types": list(dict.fromkeys(cell.type for cell in cells))}
    Path(snakemake.output.about).write_text(json.dumps(about, indent=2) + "\n")
    sizes = table["part"].value_counts()
    say(
        f"blood cells of {home}: {len(about['types'])} types, {sizes['train']} cells to train on, "
        f"{sizes['validation']} to validate on"
    )
