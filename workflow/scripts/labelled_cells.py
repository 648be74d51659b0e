"""Check the folder of labelled cells and draw the balanced parts that train and validate."""

from pathlib import Path

import pandas as pd

from lymphokit.cohort.labelled_cells import split
from lymphokit.cohort.tables import write_table
from lymphokit.files import write_json
from lymphokit.imaging.cell_set_checks import read_labelled_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import Stain
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    settings = snakemake.params.settings
    home, cells = read_labelled_cells(Path(snakemake.params.folder))
    parts = split(
        cells,
        train=settings["labelled_train"],
        validation=settings["labelled_validation"],
        seed=snakemake.params.seed,
    )
    table = pd.DataFrame(
        [(cell.file, cell.label, part) for part, chosen in parts.items() for cell in chosen],
        columns=["file", "label", "part"],
    )
    stain = Stain.from_images(
        ImageFiles(home, table["file"].tolist(), None, side=settings["labelled_px"])
    )
    write_table(table, snakemake.output.table)
    about = {"home": str(home), "stain": stain.as_dict(), "n_images": len(cells)}
    about["contents"] = snakemake.params.contents  # other images of the same names: another file
    write_json(Path(snakemake.output.about), about)
    sizes = table.groupby(["part", "label"]).size()
    say(
        f"labelled cells of {home}: "
        + ", ".join(f"{n} {p} {label}" for (p, label), n in sizes.items())
    )
