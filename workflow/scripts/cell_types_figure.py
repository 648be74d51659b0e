"""Figure: the types of cells that a model weighs most, and the patients who have them."""

from pathlib import Path

import numpy as np

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.tables import read_cells, read_fold, read_patients
from lymphokit.evaluation.out_of_fold import fit_training_part
from lymphokit.features.bank import open_bank
from lymphokit.figures.cell_types_figure import cell_types_figure, shown_types, type_shares
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job
from lymphokit.models.registry import create

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    fold, labels = read_fold(snakemake.input.folds, 1), labels_of(patients)
    bank = open_bank(Path(snakemake.input.bank[0]), patients["n_cells"].sum())
    bags = bags_of(patients, bank.features)
    model = fit_training_part(
        lambda seed: create(snakemake.params.settings, seed=seed),
        bags,
        labels,
        clinical_of(patients),
        fold,
        snakemake.params.seed,
    )
    parts = fold.set_index("patient")["part"].reindex(patients["patient"])
    training, known = np.flatnonzero(parts == "train"), np.flatnonzero(parts.notna())
    types = shown_types(model, bags.take(training))
    paths = read_cells(snakemake.input.cells)["path"].tolist()
    size = snakemake.params.image_size
    files = ImageFiles(Path(snakemake.input.raw), paths, size, size // 2, side=112)
    positions = bags.cells_of(training)
    images = [[files.image(cell) for cell in positions[shown.cells]] for shown in types]
    shares = type_shares(model, bags.take(known), labels[known], parts.iloc[known])
    name, weights = snakemake.wildcards.model, model.regression_.weights_
    figure = cell_types_figure(types, images, *shares, weights, model=name, fold=1)
    figure.savefig(snakemake.output.figure, dpi=110)
