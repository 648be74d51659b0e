"""Compute features of every cell with a backbone."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_table
from lymphokit.features.backbone import load_backbone
from lymphokit.features.bank import write_bank
from lymphokit.features.stages import count_features, encode_cells
from lymphokit.imaging.cell_views import CellViews
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import open_pixels, unpack_mask
from lymphokit.imaging.segment import keep_cell
from lymphokit.imaging.smear_colours import colours_by_patient
from lymphokit.job import job
from lymphokit.progress import say, track

with job(snakemake):
    settings, read = snakemake.params.settings, snakemake.input
    origin = {key: settings[key] for key in ("weights", "sha256")}
    backbone = load_backbone(settings["timm"], **origin, seed=snakemake.params.seed)
    say(backbone.source)
    cells = read_cells(read.cells)
    images = ImageFiles(Path(read.raw), cells["path"].tolist(), snakemake.params.image_size)
    images = track(images, f"cells through {snakemake.wildcards.backbone}", len(cells))
    if settings["image"] == "segmented":
        images = map(keep_cell, images, map(unpack_mask, open_pixels(Path(read.masks))))
    masks = colours = None
    if read.get("cell_masks"):
        masks = map(unpack_mask, open_pixels(Path(read.cell_masks)))
        colours = map(colours_by_patient(read_table(read.smear_colours)).get, cells["patient"])
    write_bank(
        Path(snakemake.output.bank),
        encode_cells(backbone, CellViews(images, settings, masks, colours), settings),
        n_cells=len(cells),
        n_features=count_features(backbone, settings),
        fitted_on="nothing of this cohort",
        metadata={"source": backbone.source, **settings},
    )
