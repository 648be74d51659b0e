"""Figure: the cells that each round of a fold added."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job
from lymphokit.pseudo_labels.cells_figure import additions_gallery
from lymphokit.pseudo_labels.state import NONE_HELD_OUT, added_in_rounds, added_to, read_state

with job(snakemake):
    paths = read_cells(snakemake.input.cells)["path"].tolist()
    added = read_state(Path(snakemake.input.added), Path(snakemake.input.scores)).added
    shown = added_in_rounds(added_to(added, NONE_HELD_OUT))
    size = snakemake.params.frame["size"]
    crop = snakemake.params.frame["crop"] or size // 2  # a cell fills about half of that
    images = ImageFiles(Path(snakemake.input.raw), paths, size, crop, side=96)
    drawn = list(images[shown["cell"].to_numpy(np.int64)])
    figure = additions_gallery(shown, drawn, fold=int(snakemake.wildcards.fold))
    figure.savefig(snakemake.output.figure, dpi=110, pil_kwargs={"quality": 85})
