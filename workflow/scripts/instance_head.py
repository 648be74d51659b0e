"""P(1) of each cell in a fold, from linear heads trained on the labels of other patients."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_fold, read_patients
from lymphokit.features.bank import open_bank, write_cell_probabilities
from lymphokit.job import job
from lymphokit.pseudo_labels.head_learner import HeadClassifier
from lymphokit.pseudo_labels.instance_network import instance_probabilities

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    cells = read_cells(given.cells)
    bank = open_bank(Path(given.bank), len(cells))
    probabilities = instance_probabilities(
        cells,
        read_patients(given.patients),
        read_fold(given.folds, snakemake.wildcards.fold),
        HeadClassifier(bank.features, params.ridge),
        seed=params.seed,
    )
    source = f"P(1) of a cell by its patient's label, on {bank.metadata['source']}"
    write_cell_probabilities(Path(snakemake.output.bank), probabilities, source=source)
