"""Figure: some healthy and some malignant labelled cells."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_table
from lymphokit.figures.labelled_cells_figure import labelled_cells_figure
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job

CELLS_A_LABEL = 6

with job(snakemake):
    table = read_table(snakemake.input.table)
    home = Path(read_json(Path(snakemake.input.about), "home")["home"])
    side = snakemake.params.labelled_px
    images, numbers = {}, {}
    for label in (0, 1):
        files = table.loc[table["label"] == label, "file"].tolist()
        numbers[label] = len(files)
        images[label] = np.stack(list(ImageFiles(home, files[:CELLS_A_LABEL], None, side=side)))
    figure = labelled_cells_figure(images, numbers, folder=home.name)
    figure.savefig(snakemake.output.figure, dpi=110)
