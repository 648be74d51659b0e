"""Figure: some cells of some patients of either label."""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_cells, read_patients
from lymphokit.figures.cells import montage
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job

PATIENTS_A_LABEL, CELLS_A_PATIENT = 3, 8

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    cells = read_cells(snakemake.input.cells)
    known, seed = patients[patients["part"] == "train"], snakemake.params.seed
    shown = known.groupby("label").sample(PATIENTS_A_LABEL, random_state=seed)
    bags = []
    for patient in shown["patient"]:
        paths = cells.loc[cells["patient"] == patient, "path"].iloc[:CELLS_A_PATIENT]
        images = ImageFiles(Path(snakemake.input.raw), paths.tolist(), snakemake.params.image_size)
        bags.append(np.stack(list(images)))
    figure = montage(bags, shown["patient"].tolist(), shown["label"].tolist())
    figure.savefig(snakemake.output.figure, dpi=100)
