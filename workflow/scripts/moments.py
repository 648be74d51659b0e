"""Measure mean and mean square of each image's colours; the stain of any patients follows."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import moments
from lymphokit.job import job
from lymphokit.progress import track

with job(snakemake):
    paths = read_cells(snakemake.input.cells)["path"].tolist()
    images = ImageFiles(Path(snakemake.input.raw), paths, **snakemake.params.frame)
    measured = [moments(image) for image in track(images, "stain of cells", len(paths))]
    np.save(snakemake.output.moments, np.stack(measured))
