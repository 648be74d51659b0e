"""One honest probability of each cell in a fold, by networks trained whole on patients' labels."""

from pathlib import Path

import pandas as pd

from lymphokit.features.backbone import load_backbone
from lymphokit.features.bank import write_bank
from lymphokit.features.fine_tune import Sgd
from lymphokit.imaging.labelled import Photographs
from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.pseudo_labels.instance_network import instance_probabilities
from lymphokit.pseudo_labels.network_learner import NetworkOnImages

with job(snakemake.log[0], snakemake.threads):
    given, params = snakemake.input, snakemake.params
    patients = pd.read_csv(given.patients, dtype={"patient": str})
    cells = pd.read_csv(given.cells, dtype={"patient": str})
    folds = pd.read_csv(given.folds, dtype={"patient": str})
    backbone = load_backbone(**params.trunk, seed=params.seed)
    say(backbone.source)
    images = Photographs(
        Path(given.raw), cells["path"].tolist(), params.image_size, params.crop, params.px
    )
    probabilities = instance_probabilities(
        cells,
        patients,
        folds[folds["fold"] == int(snakemake.wildcards.fold)],
        NetworkOnImages(backbone, images, Sgd(**params.sgd)),
        seed=params.seed,
    )
    write_bank(
        Path(snakemake.output.bank),
        [probabilities[:, None]],
        n_cells=len(cells),
        n_features=1,
        fitted_on="training patients of the fold",
        metadata={"source": f"P(1) of a cell by its patient's label, {backbone.source}"},
    )
