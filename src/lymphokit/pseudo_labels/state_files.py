"""Where a chain stands, on disk: the cells added so far, and what the networks make of all cells.

No network is kept: each round trains its own from the pretrained weights, and the next round
needs to know only what this one's thought.
"""

from pathlib import Path

import numpy as np

from lymphokit.cohort.tables import read_table, write_table
from lymphokit.pseudo_labels.rounds import TYPES, State


def write_state(state: State, added: Path, judged: Path) -> None:
    """Write a table of the added cells, and an .npz of everything else."""
    write_table(state.added, added)
    np.savez(
        judged,
        chains=state.chains,
        log_odds=state.log_odds,
        labelled_accuracy=state.labelled_accuracy,
    )


def read_state(added: Path, judged: Path) -> State:
    """The state that `write_state` wrote, bit for bit."""
    table = read_table(added, TYPES).astype(TYPES)  # an empty table has lost its types
    with np.load(judged) as arrays:
        return State(table, **arrays)
