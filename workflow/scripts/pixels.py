"""Segment every image once; store it at 128 pixels a side, and its mask."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_cells
from lymphokit.figures.segmentation import segmentation_figure
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import count_not_found, open_pixels, unpack_mask, write_pixel_banks
from lymphokit.job import job
from lymphokit.keyed_rows import recipe_of, row_keys
from lymphokit.progress import say, track
from lymphokit.provenance import machine
from lymphokit.whole_cells.whole_cell import segmenter_of

with job(snakemake) as threads:
    cells = read_cells(snakemake.input.cells)
    raw, size = Path(snakemake.input.raw), snakemake.params.image_size
    images = ImageFiles(raw, cells["path"].tolist(), size)
    n_segmented = write_pixel_banks(
        lambda positions: track(images.subset(positions), "segmenting cells", len(positions)),
        row_keys(recipe_of(snakemake.params, machine=machine(gpu=False)), images.files),
        raw=Path(snakemake.output.raw),
        segmented=Path(snakemake.output.segmented),
        masks=Path(snakemake.output.masks),
        image_size=size,
        segmenter=segmenter_of(**snakemake.params.segmentation),
        threads=threads,
    )
    say(f"{n_segmented:,} of {len(cells):,} images segmented, the others by an earlier run")
    not_found = count_not_found(Path(snakemake.output.masks))
    say(f"no cell found at the centre of {not_found} of {len(cells):,} images: kept whole")
    shown = np.linspace(0, len(cells) - 1, 6).astype(int)
    masks = open_pixels(Path(snakemake.output.masks))
    segmentation_figure(
        list(images.subset(shown)),
        [unpack_mask(masks[cell]) for cell in shown],
        n_cells=len(cells),
        n_not_found=not_found,
        region=snakemake.params.segmentation["region"],
    ).savefig(snakemake.output.figure, dpi=100)
