"""Self-training in rounds (report 4.4, Algorithm 1).

Round 0 trains a network on cells with known labels. Each later round adds the cells of tumoral
patients with the highest probability, as label 1, and as many cells of reactive patients, as label
0, and trains the next network, from the pretrained weights, on all cells so far. The last phase
trains on the added cells alone.

A fold does this once per training subset: once on all training patients, for validation and test
patients, and once without each inner fold, for the patients of that inner fold. So the network
that scores a cell was never trained on its patient, nor selected cells with its patient's label.
Departs: the report trains one sequence of networks on all labelled patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.pseudo_labels.learner import CellScores, Learner
from lymphokit.pseudo_labels.selection import (
    CellPool,
    Cells,
    Floats,
    RoundsError,
    RoundSizes,
    SelectionSettings,
    probability,
    select_cells,
)
from lymphokit.pseudo_labels.state import (
    ADDED_COLUMNS,
    NONE_HELD_OUT,
    State,
    added_to,
    cells_and_labels,
    no_cells_added,
)


@dataclass(frozen=True)
class TrainingSubset:
    """The cells of a fold's training patients without one inner fold.

    held_out: that inner fold, NONE_HELD_OUT for none; positives, negatives: cells of tumoral and
    of reactive patients.
    """

    held_out: int
    positives: Cells
    negatives: Cells


def training_subsets(
    cells: pd.DataFrame, patients: pd.DataFrame, fold: pd.DataFrame
) -> list[TrainingSubset]:
    """Return the training subsets of a fold: all training patients, then without each inner fold.

    cells, patients, fold: the rows of cells.csv, patients.csv and, for this fold, folds.csv.
    """
    training = fold[fold["part"] == "train"].set_index("patient")["inner"]
    label_of = patients.set_index("patient")["label"]
    inner = cells["patient"].map(training).to_numpy(np.float64)  # NaN: not a training patient
    label = cells["patient"].map(label_of).to_numpy(np.int64)
    subsets = []
    for held_out in (NONE_HELD_OUT, *sorted(set(training))):
        eligible = ~np.isnan(inner) & (inner != held_out)
        by_label = [np.flatnonzero(eligible & (label == value)) for value in (1, 0)]
        subsets.append(TrainingSubset(int(held_out), *by_label))
    return subsets


def require_enough_cells(
    subsets: Sequence[TrainingSubset],
    patient_of: NDArray[np.int64],
    sizes: RoundSizes,
    settings: SelectionSettings,
) -> None:
    """Raise RoundsError where a training subset has fewer cells than all rounds add.

    patient_of (n_cells,) numbers the patients of the cells.
    """
    cap = settings.most_per_patient
    for subset in subsets:
        for name, pool in (("tumoral", subset.positives), ("reactive", subset.negatives)):
            _, n_cells = np.unique(patient_of[pool], return_counts=True)
            usable = int(n_cells.sum() if cap is None else np.minimum(n_cells, cap).sum())
            if usable < sizes.total:
                limit = "" if cap is None else f", at most {cap} a patient,"
                raise RoundsError(
                    f"{usable} cells of {name} training patients{limit} are too few for the "
                    f"{sizes.total} that pseudo_label.rounds adds; shorten it in config.yaml"
                )


@dataclass(frozen=True)
class SelfTraining:
    """The rounds of one fold.

    cells: cells.csv; seed: of the workflow's run; fold: the fold's number.
    """

    subsets: Sequence[TrainingSubset]
    cells: pd.DataFrame
    sizes: RoundSizes
    selection: SelectionSettings
    learner: Learner
    seed: int
    fold: int

    def round_zero(self) -> State:
        """Train on the labelled cells alone: one network, shared by every training subset."""
        no_cells = np.array([], dtype=np.int64)
        seed = self._seed(NONE_HELD_OUT, 0)
        scores = self.learner.fit_and_score(no_cells, no_cells, with_labelled=True, seed=seed)
        return self._state(no_cells_added(), [scores] * len(self.subsets))

    def next_round(self, number: int, previous: State) -> State:
        """Run round `number`, from 1: add the most confident cells, and train the next networks.

        Raises RoundsError for a round beyond the last, or for too few cells.
        """
        size = self.sizes.size_of(number)
        require_enough_cells(self.subsets, self.patient_of, self.sizes, self.selection)
        added = []
        for subset, log_odds in zip(self.subsets, previous.log_odds, strict=True):
            so_far = added_to(previous.added, subset.held_out)
            added += [so_far, self._additions(subset, log_odds, so_far, number, size)]
        return self._trained(pd.concat(added, ignore_index=True), number, with_labelled=True)

    def last_phase(self, state: State) -> State:
        """Train on each subset's added cells, without the labelled ones.

        Source: report 4.4.3.
        """
        return self._trained(state.added, len(self.sizes) + 1, with_labelled=False)

    def _trained(self, added: pd.DataFrame, number: int, *, with_labelled: bool) -> State:
        """Train a network for each training subset on the cells added to it."""
        scores = []
        for subset in self.subsets:
            cells, labels = cells_and_labels(added_to(added, subset.held_out))
            seed = self._seed(subset.held_out, number)
            scores.append(
                self.learner.fit_and_score(cells, labels, with_labelled=with_labelled, seed=seed)
            )
        return self._state(added, scores)

    def _state(self, added: pd.DataFrame, scores: Sequence[CellScores]) -> State:
        return State(
            added,
            np.array([subset.held_out for subset in self.subsets]),
            np.stack([network.log_odds for network in scores]),
            np.array([network.labelled_accuracy for network in scores]),
        )

    @cached_property
    def patient_of(self) -> NDArray[np.int64]:
        """A number for each cell's patient: (n_cells,)."""
        return pd.factorize(self.cells["patient"])[0].astype(np.int64)

    def _additions(
        self,
        subset: TrainingSubset,
        log_odds: Floats,
        so_far: pd.DataFrame,
        number: int,
        size: int,
    ) -> pd.DataFrame:
        """Rows that a round adds to a training subset: label 1 first, most confident first."""
        cells, labels = cells_and_labels(so_far)
        positives = CellPool(subset.positives, cells[labels == 1], self.patient_of)
        negatives = CellPool(subset.negatives, cells[labels == 0], self.patient_of)
        seed = self._seed_words(subset.held_out, number)
        selected = select_cells(log_odds, positives, negatives, size, self.selection, seed)
        both = np.concatenate(selected)
        return pd.DataFrame(
            {
                "held_out": subset.held_out,
                "round": number,
                "label": np.repeat([1, 0], [len(part) for part in selected]),
                "patient": self.cells["patient"].to_numpy()[both],
                "image": self.cells["image"].to_numpy()[both],
                "cell": both,
                "probability": probability(log_odds[both]),
            }
        ).astype(ADDED_COLUMNS)

    def _seed_words(self, held_out: int, number: int) -> list[int]:
        """Entropy of one training or draw; + 1 because numpy refuses negative words."""
        return [self.seed, self.fold, held_out + 1, number]

    def _seed(self, held_out: int, number: int) -> int:
        words = self._seed_words(held_out, number)
        return int(np.random.SeedSequence(words).generate_state(1)[0]) >> 1  # 31 bits, for torch
