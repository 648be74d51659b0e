"""Cells of the first fold's training patients before and after stain matching."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_cells, read_table
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import source_and_target
from lymphokit.job import job
from lymphokit.pseudo_labels.cells_figure import stain_figure

SHOWN = 6
NAMES = {"competition": "patients' cells", "labelled_cells": "labelled cells"}

with job(snakemake):
    stains = read_json(Path(snakemake.input.stain))
    settings = snakemake.params.settings
    side, moving, per = (settings[key] for key in ("labelled_px", "stain", "stain_per"))
    cells = read_cells(snakemake.input.cells)
    labelled = read_table(snakemake.input.table)
    theirs = cells.loc[cells["patient"].isin(stains["patients"]), "path"].tolist()
    home = Path(read_json(Path(snakemake.input.about), "home")["home"])
    sources = {
        "competition": (Path(snakemake.input.raw), theirs),
        "labelled_cells": (home, labelled["file"].tolist()),
    }
    moved = moving if moving != "none" else "competition"
    still = next(name for name in sources if name != moved)
    rows = []
    for name, stain in (
        (moved, None),
        (moved, source_and_target(moved, moving, stains, per=per)),
        (still, None),
    ):
        root, paths = sources[name]
        crop = snakemake.params.frame["crop"] if name == "competition" else None
        images = ImageFiles(root, paths, None, crop, side, stain)
        rows.append(list(images[np.linspace(0, len(paths) - 1, SHOWN).astype(np.int64)]))
    figure = stain_figure(*rows, moved=NAMES[moved], onto=NAMES[still])
    figure.savefig(snakemake.output.figure, dpi=110)
