"""A network to which every cell is what its patient is: the report's baseline, naive on purpose.

Most cells of a tumoral patient may be healthy and are learned as tumoral all the same. In every
fold one network learns from all training patients, for validation and test patients, and one
without each inner fold, for the patients of that inner fold: so no cell is judged by a network
that knows its patient.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.pseudo_labels.head import fit_head
from lymphokit.pseudo_labels.rounds import WHOLE, chains_of
from lymphokit.pseudo_labels.selection import Cells, Floats, probability


class CellJudge(Protocol):
    """Trains a network on cells with labels and lets it judge others."""

    def judge(self, cells: Cells, labels: NDArray[np.int64], others: Cells, *, seed: int) -> Floats:
        """Log odds of label 1 for `others`, by a network trained on `cells` and labels (n,).

        cells, others: positions in cells.csv.
        """
        ...


@dataclass(frozen=True)
class HeadOnBank:
    """`train: head`: the features (n_cells, d) stay as they are, under a linear layer of ridge."""

    features: NDArray[np.floating]
    ridge: float

    def judge(
        self,
        cells: Cells,
        labels: NDArray[np.int64],
        others: Cells,
        *,
        seed: int,  # noqa: ARG002
    ) -> Floats:
        """Log odds of label 1 for `others`; the optimum is unique, whatever the seed."""
        head = fit_head(self.features[cells], labels, self.ridge)
        return head.log_odds(self.features[others])


def instance_probabilities(
    cells: pd.DataFrame,
    patients: pd.DataFrame,
    fold: pd.DataFrame,
    judge: CellJudge,
    *,
    seed: int,
) -> Floats:
    """P(1) of each cell by the network of this fold that has not seen its patient: (n_cells,).

    cells, patients, fold: the rows of cells.csv, patients.csv and, for this fold, folds.csv.
    Fitted on: all cells of the training patients, or of those outside the cell's own inner fold.
    Source: report, appendix, "Naive Instance-Level deep MIL".
    """
    inner = fold.set_index("patient")["inner"]
    inner_of = cells["patient"].map(inner).fillna(WHOLE).to_numpy(np.int64)
    number = int(fold["fold"].iloc[0])
    log_odds = np.full(len(cells), np.nan)
    for chain in chains_of(cells, patients, fold):
        unseen = np.flatnonzero(inner_of == chain.held_out)
        log_odds[unseen] = judge.judge(
            np.concatenate([chain.negatives, chain.positives]),
            np.repeat([0, 1], [len(chain.negatives), len(chain.positives)]),
            unseen,
            seed=_seed(seed, number, chain.held_out),
        )
    return probability(log_odds)


def _seed(seed: int, fold: int, held_out: int) -> int:
    return int(np.random.SeedSequence([seed, fold, held_out + 1]).generate_state(1)[0]) >> 1
