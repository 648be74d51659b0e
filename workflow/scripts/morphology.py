"""Measure every cell: size, shape, colours, chromatin."""

from pathlib import Path

from lymphokit.arrays import RowReader
from lymphokit.cohort.tables import read_cells
from lymphokit.features.bank import write_keyed_bank
from lymphokit.features.morphology import NAMES, measure_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import unpack_mask
from lymphokit.job import job
from lymphokit.keyed_rows import recipe_of, row_keys
from lymphokit.progress import say, track
from lymphokit.provenance import machine

with job(snakemake), RowReader(Path(snakemake.input.masks)) as masks:
    cells = read_cells(snakemake.input.cells)
    size, rim_px = snakemake.params.image_size, snakemake.params.rim_px
    images = ImageFiles(Path(snakemake.input.raw), cells["path"].tolist(), size)
    recipe = recipe_of(snakemake.params, machine=machine(gpu=False))
    n_measured = write_keyed_bank(
        Path(snakemake.output.bank),
        row_keys(recipe, images.files, masks.all_bytes()),
        lambda positions: measure_cells(
            track(images.subset(positions), "measuring cells", len(positions)),
            map(unpack_mask, masks.rows(positions)),
            rim_px=rim_px,
        ),
        n_features=len(NAMES),
        metadata={"source": "measurements of each segmented cell", "features": NAMES},
    )
    say(f"{n_measured:,} of {len(cells):,} cells measured, the others by an earlier run")
