"""The stain of a fold's training patients beside that of the labelled cells."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.imaging.stain import Stain
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    folds = pd.read_csv(snakemake.input.folds, dtype={"patient": str})
    of_fold = folds[folds["fold"] == int(snakemake.wildcards.fold)]
    training = of_fold.loc[of_fold["part"] == "train", "patient"]
    cells = pd.read_csv(snakemake.input.cells, dtype={"patient": str})
    theirs = cells["patient"].isin(training).to_numpy()
    stains = {
        "competition": Stain.of(np.load(snakemake.input.moments)[theirs]).as_dict(),
        "labelled_cells": json.loads(Path(snakemake.input.labelled).read_text())["stain"],
        "patients": cells.loc[theirs, "patient"].unique().tolist(),
    }
    Path(snakemake.output.stain).write_text(json.dumps(stains, indent=2) + "\n")
