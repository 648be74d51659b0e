"""Compute the stain of a fold's training patients, and add that of the labelled cells."""

from pathlib import Path

from lymphokit.arrays import open_array
from lymphokit.cohort.tables import read_cells, read_fold
from lymphokit.files import read_json, write_json
from lymphokit.imaging.stain import Stain
from lymphokit.job import job

with job(snakemake):
    of_fold = read_fold(snakemake.input.folds, snakemake.wildcards.fold)
    training = of_fold.loc[of_fold["part"] == "train", "patient"]
    cells = read_cells(snakemake.input.cells)
    theirs = cells["patient"].isin(training).to_numpy()
    moments = open_array(Path(snakemake.input.moments))
    stains = {
        "competition": Stain.from_moments(moments[theirs]).as_dict(),
        "labelled_cells": read_json(Path(snakemake.input.labelled), "stain")["stain"],
        "patients": cells.loc[theirs, "patient"].unique().tolist(),
    }
    write_json(Path(snakemake.output.stain), stains)
