"""One honest probability of each cell in a fold: by the chain that never saw its patient."""

from pathlib import Path

import pandas as pd

from lymphokit.features.bank import write_bank
from lymphokit.job import job
from lymphokit.pseudo_labels.rounds import WHOLE, unseen
from lymphokit.pseudo_labels.selection import probability
from lymphokit.pseudo_labels.state_files import read_state

with job(snakemake.log[0], snakemake.threads):
    cells = pd.read_csv(snakemake.input.cells, dtype={"patient": str})
    folds = pd.read_csv(snakemake.input.folds, dtype={"patient": str})
    fold = folds[folds["fold"] == int(snakemake.wildcards.fold)]
    inner_of = cells["patient"].map(fold.set_index("patient")["inner"]).fillna(WHOLE).astype(int)
    state = read_state(Path(snakemake.input.added), Path(snakemake.input.judged))
    probabilities = probability(unseen(state, inner_of.to_numpy()))
    write_bank(
        Path(snakemake.output.bank),
        [probabilities[:, None]],
        n_cells=len(cells),
        n_features=1,
        fitted_on="training patients of the fold",
        metadata={"source": snakemake.params.source},
    )
