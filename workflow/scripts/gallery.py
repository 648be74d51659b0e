"""The cells that each round of a fold added, to look at."""

from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.imaging.labelled import Photographs
from lymphokit.job import job
from lymphokit.pseudo_labels.cells_figure import additions_gallery
from lymphokit.pseudo_labels.rounds import WHOLE
from lymphokit.pseudo_labels.state_files import read_state

with job(snakemake.log[0], snakemake.threads):
    paths = pd.read_csv(snakemake.input.cells)["path"].tolist()
    added = read_state(Path(snakemake.input.added), Path(snakemake.input.judged)).added
    whole = added[added["chain"] == WHOLE]
    size = snakemake.params.frame["size"]
    crop = snakemake.params.frame["crop"] or size // 2  # a cell fills about half of that
    images = Photographs(Path(snakemake.input.raw), paths, size, crop, side=96)
    shown = list(images[whole["cell"].to_numpy(np.int64)])
    figure = additions_gallery(whole, shown, fold=int(snakemake.wildcards.fold))
    figure.savefig(snakemake.output.figure, dpi=110)
