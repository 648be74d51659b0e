"""Measure the colours of every patient's smear; mask the whole cell of every image by them."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, write_table
from lymphokit.imaging.cell_mask import smear_colours_of, write_cell_masks
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.smear_colours import colours_table
from lymphokit.job import job
from lymphokit.progress import say, track

with job(snakemake) as threads:
    cells = read_cells(snakemake.input.cells)
    size = snakemake.params.image_size
    images = ImageFiles(Path(snakemake.input.raw), cells["path"].tolist(), size)
    colours = smear_colours_of(images, cells["patient"].tolist())
    write_table(colours_table(colours), snakemake.output.colours)
    not_found = write_cell_masks(
        Path(snakemake.output.masks),
        track(images, "masking cells", len(cells)),
        [colours[patient] for patient in cells["patient"]],
        image_size=size,
        settings=snakemake.params.settings,
        threads=threads,
    )
    say(f"no nucleus found at the centre of {not_found} of {len(cells):,} images: kept whole")
