"""Collect candidate confounders of each patient: row numbers, dates, file properties, stains."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.layout import read_layout
from lymphokit.cohort.table_artefacts import read_table_artefacts
from lymphokit.cohort.tables import read_cells, read_patients, write_table
from lymphokit.imaging.artefacts import average_by_patient, colour_statistics, file_properties
from lymphokit.imaging.pixels import open_pixels
from lymphokit.job import job
from lymphokit.progress import track

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    cells = read_cells(snakemake.input.cells)
    raw, images = Path(snakemake.input.raw), open_pixels(Path(snakemake.input.images))
    files = np.array(
        [file_properties(raw / path) for path in track(cells["path"].tolist(), "files")]
    )
    colours = np.stack([colour_statistics(image) for image in track(images, "stains of images")])
    of_images = average_by_patient(cells["patient"].tolist(), files, colours)
    of_table = read_table_artefacts(read_layout(raw).tables)
    table = patients[["patient"]].merge(of_table, validate="1:1").merge(of_images, validate="1:1")
    table.insert(1, "place_of_id", range(len(table)))  # patients.csv is in the natural order of ids
    write_table(table, snakemake.output.artefacts)
