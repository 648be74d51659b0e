"""Self-training in rounds (report 4.4, Algorithm 1).

Round 0 trains a network on cells with known labels. Each later round adds the cells of tumoral
patients with the highest probability, as label 1, and as many cells of reactive patients, as label
0, and trains the next network, from the pretrained weights, on all cells so far. The last phase
trains on the added cells alone.

Without cells with known labels, round 0 learns from cells of training patients, drawn at random and
labelled as their patient, as the naive network of the report's appendix does. No round adds those
again: a network is confident of the cells that it was trained on.

A fold does this once per training subset: once on all training patients, for validation and test
patients, and once without each inner fold, for the patients of that inner fold. So the network
that scores a cell was never trained on its patient, nor selected cells with its patient's label.
Departs: the report trains one sequence of networks on all labelled patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    added_in_rounds,
    added_to,
    cells_and_labels,
    drawn_in_round_zero,
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

    def without(self, cells: Cells) -> "TrainingSubset":
        """This subset without some of its cells."""
        pools = (np.setdiff1d(pool, cells) for pool in (self.positives, self.negatives))
        return TrainingSubset(self.held_out, *pools)

    def draw(self, most: int, rng: np.random.Generator) -> tuple[Cells, Cells]:
        """Draw as many cells of tumoral as of reactive patients, `most` of each.

        At most a quarter of the fewer, so that the rounds have others to add.
        """
        size = min(most, max(1, min(len(self.positives), len(self.negatives)) // 4))
        positives, negatives = (
            rng.choice(pool, size, replace=False) for pool in (self.positives, self.negatives)
        )
        return positives, negatives


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

    cells: cells.csv; seed: of the workflow's run; fold: the fold's number; drawn: cells of each
    label that round 0 draws from a subset, None where it learns from labelled cells.
    """

    subsets: Sequence[TrainingSubset]
    cells: pd.DataFrame
    sizes: RoundSizes
    selection: SelectionSettings
    learner: Learner
    seed: int
    fold: int
    drawn: int | None = None

    def round_zero(self) -> State:
        """Train on the labelled cells alone: one network, shared by every training subset.

        Or one for each, on cells drawn from it and labelled as their patient.
        """
        if self.drawn is not None:
            added = [self._draw(subset, self.drawn) for subset in self.subsets]
            return self._trained(pd.concat(added, ignore_index=True), 0, with_labelled=False)
        no_cells = np.array([], dtype=np.int64)
        seed = self._seed(NONE_HELD_OUT, 0)
        scores = self.learner.fit_and_score(no_cells, no_cells, with_labelled=True, seed=seed)
        return self._state(no_cells_added(), [scores] * len(self.subsets))

    def next_round(self, number: int, previous: State) -> State:
        """Run round `number`, from 1: add the most confident cells, and train the next networks.

        Raises RoundsError for a round beyond the last, or for too few cells.
        """
        size = self.sizes.size_of(number)
        so_far = [added_to(previous.added, subset.held_out) for subset in self.subsets]
        left = [
            subset.without(cells_and_labels(drawn_in_round_zero(cells))[0])
            for subset, cells in zip(self.subsets, so_far, strict=True)
        ]
        require_enough_cells(left, self.patient_of, self.sizes, self.selection)
        added = []
        for subset, log_odds, cells in zip(left, previous.log_odds, so_far, strict=True):
            added += [cells, self._additions(subset, log_odds, cells, number, size)]
        return self._trained(pd.concat(added, ignore_index=True), number, with_labelled=True)

    def last_phase(self, state: State) -> State:
        """Train on the cells that the rounds added to each subset, without those of round 0.

        Source: report 4.4.3.
        """
        number = len(self.sizes) + 1
        trained = self._trained(added_in_rounds(state.added), number, with_labelled=False)
        return replace(trained, added=state.added)

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
        cells, labels = cells_and_labels(added_in_rounds(so_far))
        positives = CellPool(subset.positives, cells[labels == 1], self.patient_of)
        negatives = CellPool(subset.negatives, cells[labels == 0], self.patient_of)
        seed = self._seed_words(subset.held_out, number)
        selected = select_cells(log_odds, positives, negatives, size, self.selection, seed)
        return self._rows(subset.held_out, number, selected, probability(log_odds))

    def _draw(self, subset: TrainingSubset, most: int) -> pd.DataFrame:
        """Rows of round 0 without labelled cells; no network gave their cells a probability."""
        rng = np.random.default_rng(self._seed_words(subset.held_out, 0))
        unknown = np.full(len(self.cells), np.nan)
        return self._rows(subset.held_out, 0, subset.draw(most, rng), unknown)

    def _rows(
        self, held_out: int, number: int, selected: tuple[Cells, Cells], probabilities: Floats
    ) -> pd.DataFrame:
        """Rows of added.csv: cells as label 1, and cells as label 0; probabilities (n_cells,)."""
        both = np.concatenate(selected)
        return pd.DataFrame(
            {
                "held_out": held_out,
                "round": number,
                "label": np.repeat([1, 0], [len(part) for part in selected]),
                "patient": self.cells["patient"].to_numpy()[both],
                "image": self.cells["image"].to_numpy()[both],
                "cell": both,
                "probability": probabilities[both],
            }
        ).astype(ADDED_COLUMNS)

    def _seed_words(self, held_out: int, number: int) -> list[int]:
        """Entropy of one training or draw; + 1 because numpy refuses negative words."""
        return [self.seed, self.fold, held_out + 1, number]

    def _seed(self, held_out: int, number: int) -> int:
        words = self._seed_words(held_out, number)
        return int(np.random.SeedSequence(words).generate_state(1)[0]) >> 1  # 31 bits, for torch
