"""Check the folder of blood cells and draw the parts that train and validate."""

from pathlib import Path

import pandas as pd

from lymphokit.cohort.blood_cells import split
from lymphokit.cohort.tables import write_table
from lymphokit.files import write_json
from lymphokit.imaging.cell_set_checks import read_blood_cells
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    home, cells = read_blood_cells(Path(snakemake.params.folder))
    parts = split(cells, validation=snakemake.params.validation, seed=snakemake.params.seed)
    table = pd.DataFrame(
        [(cell.file, cell.type, part) for part, chosen in parts.items() for cell in chosen],
        columns=["file", "type", "part"],
    )
    write_table(table, snakemake.output.table)
    about = {"home": str(home), "types": list(dict.fromkeys(cell.type for cell in cells))}
    about["contents"] = snakemake.params.contents  # other images of the same names: another file
    write_json(Path(snakemake.output.about), about)
    sizes = table["part"].value_counts()
    say(
        f"blood cells of {home}: {len(about['types'])} types, {sizes['train']} cells to train on, "
        f"{sizes['validation']} to validate on"
    )
