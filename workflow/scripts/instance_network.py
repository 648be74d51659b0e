"""P(1) of each cell in a fold, from networks trained on the labels of other patients."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_fold, read_patients
from lymphokit.features.backbone import load_backbone
from lymphokit.features.bank import write_cell_probabilities
from lymphokit.features.fine_tune import Sgd
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.pseudo_labels.instance_network import instance_probabilities
from lymphokit.pseudo_labels.network_learner import NetworkClassifier

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    cells = read_cells(given.cells)
    backbone = load_backbone(**params.trunk, seed=params.seed)
    say(backbone.source)
    images = ImageFiles(
        Path(given.raw), cells["path"].tolist(), params.image_size, params.crop, params.px
    )
    probabilities = instance_probabilities(
        cells,
        read_patients(given.patients),
        read_fold(given.folds, snakemake.wildcards.fold),
        NetworkClassifier(backbone, images, Sgd(**params.sgd)),
        seed=params.seed,
    )
    source = f"P(1) of a cell by its patient's label, {backbone.source}"
    write_cell_probabilities(Path(snakemake.output.bank), probabilities, source=source)
