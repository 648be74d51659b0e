"""Compute features of every cell with a backbone."""

from functools import partial
from pathlib import Path

from lymphokit.cohort.tables import read_cells
from lymphokit.features.backbone import encode_images, load_backbone
from lymphokit.features.bank import write_bank
from lymphokit.imaging.image_files import ImageFiles, crop_centre, resize
from lymphokit.imaging.pixels import open_pixels, unpack_mask
from lymphokit.imaging.segment import keep_cell
from lymphokit.job import job
from lymphokit.progress import say, track

with job(snakemake):
    settings = snakemake.params.settings
    weights, sha256 = settings["weights"], settings["sha256"]
    backbone = load_backbone(
        settings["timm"], weights=weights, sha256=sha256, seed=snakemake.params.seed
    )
    say(backbone.source)
    cells = read_cells(snakemake.input.cells)
    images = ImageFiles(
        Path(snakemake.input.raw), cells["path"].tolist(), snakemake.params.image_size
    )
    if settings["image"] == "segmented":
        masks = map(unpack_mask, open_pixels(Path(snakemake.input.masks)))
        images = map(keep_cell, images, masks)
    images = map(partial(crop_centre, side=settings["crop"]), images)
    images = map(partial(resize, side=snakemake.params.side), images)
    tracked = track(images, f"cells through {snakemake.wildcards.backbone}", len(cells))
    write_bank(
        Path(snakemake.output.bank),
        encode_images(backbone, tracked, batch_size=settings["batch_size"]),
        n_cells=len(cells),
        n_features=backbone.n_features,
        fitted_on="nothing of this cohort",
        metadata={"source": backbone.source, **settings, "side": snakemake.params.side},
    )
