"""Where a chain stands, on disk: the cells added so far, and what the networks make of all cells.

No network is kept: each round trains its own from the pretrained weights, and the next round
needs to know only what this one's thought.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.pseudo_labels.rounds import TYPES, State


def write_state(state: State, added: Path, judged: Path) -> None:
    """Write a table of the added cells, and an .npz of everything else."""
    state.added.to_csv(added, index=False)
    np.savez(
        judged,
        chains=state.chains,
        log_odds=state.log_odds,
        labelled_accuracy=state.labelled_accuracy,
    )


def read_state(added: Path, judged: Path) -> State:
    """The state that `write_state` wrote, bit for bit."""
    table = pd.read_csv(
        added,
        dtype=TYPES,
        keep_default_na=False,  # a patient may be called NA
    )
    with np.load(judged) as arrays:
        return State(table, **arrays)
