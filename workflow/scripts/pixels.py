"""Segment every image once; keep it small, beside its mask."""

from pathlib import Path

import pandas as pd

from lymphokit.figures.segmentation import segmentation_figure
from lymphokit.imaging.pixels import write_pixel_banks
from lymphokit.imaging.read import read_images
from lymphokit.job import job
from lymphokit.progress import say, track

with job(snakemake.log[0], snakemake.threads):
    cells = pd.read_csv(snakemake.input.cells)
    raw, size = Path(snakemake.input.raw), snakemake.params.image_size
    images = track(read_images(raw, cells["path"], size), "segmenting cells", len(cells))
    not_found = write_pixel_banks(
        images,
        len(cells),
        raw=Path(snakemake.output.raw),
        segmented=Path(snakemake.output.segmented),
        masks=Path(snakemake.output.masks),
        image_size=size,
        threads=snakemake.threads,
        **snakemake.params.segmentation,
    )
    say(f"no cell found at the centre of {not_found} of {len(cells):,} images: kept whole")
