"""P(1) of each cell in a fold, from the network whose training subset lacks its patient."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_fold
from lymphokit.features.bank import write_cell_probabilities
from lymphokit.job import job
from lymphokit.pseudo_labels.selection import probability
from lymphokit.pseudo_labels.state import inner_folds_of, out_of_fold_log_odds, read_state

with job(snakemake):
    cells = read_cells(snakemake.input.cells)
    fold = read_fold(snakemake.input.folds, snakemake.wildcards.fold)
    state = read_state(Path(snakemake.input.added), Path(snakemake.input.scores))
    probabilities = probability(out_of_fold_log_odds(state, inner_folds_of(cells, fold)))
    write_cell_probabilities(
        Path(snakemake.output.bank), probabilities, source=snakemake.params.source
    )
