"""The naive instance-level network of the report's appendix: every cell has its patient's label.

Most cells of a tumoral patient may be healthy and are labelled tumoral all the same. A fold trains
one network per training subset (see `rounds`), so that no cell is scored by a network trained on
its patient.
"""

import numpy as np
import pandas as pd

from lymphokit.evaluation.out_of_fold import derive_seed
from lymphokit.pseudo_labels.learner import CellClassifier
from lymphokit.pseudo_labels.rounds import training_subsets
from lymphokit.pseudo_labels.selection import Floats, probability
from lymphokit.pseudo_labels.state import inner_folds_of


def instance_probabilities(
    cells: pd.DataFrame,
    patients: pd.DataFrame,
    fold: pd.DataFrame,
    classifier: CellClassifier,
    *,
    seed: int,
) -> Floats:
    """P(1) of each cell from a network of this fold not trained on its patient: (n_cells,).

    cells, patients, fold: the rows of cells.csv, patients.csv and, for this fold, folds.csv.
    Fitted on: all cells of the training patients, or of those outside the cell's inner fold.
    Source: report, appendix, "Naive Instance-Level deep MIL".
    Departs: optimizer, epochs and flips of the training, of which the appendix gives none; cells of
    a patient are scored by a network that was not trained on that patient.
    """
    inner_of = inner_folds_of(cells, fold)
    number = int(fold["fold"].iloc[0])
    log_odds = np.full(len(cells), np.nan)
    for subset in training_subsets(cells, patients, fold):
        others = np.flatnonzero(inner_of == subset.held_out)
        log_odds[others] = classifier.fit_predict(
            np.concatenate([subset.negatives, subset.positives]),
            np.repeat([0, 1], [len(subset.negatives), len(subset.positives)]),
            others,
            seed=derive_seed(seed, number, subset.held_out),
        )
    return probability(log_odds)
