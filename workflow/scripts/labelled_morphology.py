"""Measure the labelled cells in the same way as the cohort's cells."""

from pathlib import Path

from lymphokit.cohort.tables import read_table
from lymphokit.features.bank import write_bank
from lymphokit.features.morphology import NAMES, measure_cells
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import source_and_target
from lymphokit.job import job
from lymphokit.whole_cells.whole_cell import segmenter_of

with job(snakemake):
    settings = snakemake.params.settings
    files = read_table(snakemake.input.table)["file"].tolist()
    home = read_json(Path(snakemake.input.about), "home")["home"]
    stains = read_json(Path(snakemake.input.stain))
    images = ImageFiles(
        Path(home),
        files,
        None,
        side=settings["labelled_px"],
        stain=source_and_target(
            "labelled_cells", settings["stain"], stains, per=settings["stain_per"]
        ),
    )
    masks = map(segmenter_of(**snakemake.params.segmentation), images)
    write_bank(
        Path(snakemake.output.bank),
        measure_cells(images, masks, rim_px=snakemake.params.rim_px),
        n_cells=len(files),
        n_features=len(NAMES),
        fitted_on="training patients of the fold",
        metadata={"source": "measurements of each labelled cell", "stain": settings["stain"]},
    )
