"""One honest probability of each cell in a fold, by heads trained on patients' labels."""

from pathlib import Path

import pandas as pd

from lymphokit.features.bank import open_bank, write_bank
from lymphokit.job import job
from lymphokit.pseudo_labels.instance_network import HeadOnBank, instance_probabilities

with job(snakemake.log[0], snakemake.threads):
    given, params = snakemake.input, snakemake.params
    patients = pd.read_csv(given.patients, dtype={"patient": str})
    cells = pd.read_csv(given.cells, dtype={"patient": str})
    folds = pd.read_csv(given.folds, dtype={"patient": str})
    bank = open_bank(Path(given.bank), len(cells))
    probabilities = instance_probabilities(
        cells,
        patients,
        folds[folds["fold"] == int(snakemake.wildcards.fold)],
        HeadOnBank(bank.features, params.ridge),
        seed=params.seed,
    )
    write_bank(
        Path(snakemake.output.bank),
        [probabilities[:, None]],
        n_cells=len(cells),
        n_features=1,
        fitted_on="training patients of the fold",
        metadata={"source": f"P(1) of a cell by its patient's label, on {bank.metadata['source']}"},
    )
