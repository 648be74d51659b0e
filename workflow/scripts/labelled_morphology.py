"""Measure the labelled cells in the same way as the cohort's cells."""

import json
from functools import partial
from pathlib import Path

from lymphokit.cohort.tables import read_table
from lymphokit.features.bank import write_bank
from lymphokit.features.morphology import NAMES, measure_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.segment import segment
from lymphokit.imaging.stain import source_and_target
from lymphokit.job import job

with job(snakemake):
    settings, segmentation = snakemake.params.settings, snakemake.params.segmentation
    files = read_table(snakemake.input.table)["file"].tolist()
    home = json.loads(Path(snakemake.input.about).read_text())["home"]
    stains = json.loads(Path(snakemake.input.stain).read_text())
    images = ImageFiles(
        Path(home),
        files,
        None,
        side=settings["labelled_px"],
        stain=source_and_target(
            "labelled_cells", settings["stain"], stains, per=settings["stain_per"]
        ),
    )
    masks = map(partial(segment, **segmentation), images)
    write_bank(
        Path(snakemake.output.bank),
        measure_cells(images, masks, rim_px=segmentation["dilation_px"]),
        n_cells=len(files),
        n_features=len(NAMES),
        fitted_on="training patients of the fold",
        metadata={"source": "measurements of each labelled cell", "stain": settings["stain"]},
    )
