"""Measure every cell: size, shape, colours, chromatin."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells
from lymphokit.features.bank import write_bank
from lymphokit.features.morphology import NAMES, measure_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import open_pixels, unpack_mask
from lymphokit.job import job
from lymphokit.progress import track

with job(snakemake):
    cells = read_cells(snakemake.input.cells)
    images = ImageFiles(
        Path(snakemake.input.raw), cells["path"].tolist(), snakemake.params.image_size
    )
    masks = map(unpack_mask, open_pixels(Path(snakemake.input.masks)))
    write_bank(
        Path(snakemake.output.bank),
        track(
            measure_cells(images, masks, rim_px=snakemake.params.rim_px),
            "measuring cells",
            len(cells),
        ),
        n_cells=len(cells),
        n_features=len(NAMES),
        fitted_on="nothing of this cohort",
        metadata={"source": "measurements of each segmented cell", "features": NAMES},
    )
