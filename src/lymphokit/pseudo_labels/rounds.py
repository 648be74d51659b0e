"""Pseudo-labelling: a network labels the cells that it learns from next (report 4.4, Algorithm 1).

It starts from cells with known labels (round 0). Each round adds the cells of tumoral patients
that the last network is surest of, as label 1, with as many cells of reactive patients, as label
0, and trains the next network, from the pretrained weights, on all so far. At the end a network
is trained on the added cells alone.

In every fold the whole chain runs once on all training patients, for validation and test
patients, and once without each inner fold, for the patients of that inner fold: so a patient's
cells are always judged by a network that no cell of the patient, and no choice made with its
label, has touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.pseudo_labels.selection import (
    Cells,
    Choice,
    Floats,
    Pool,
    Schedule,
    ScheduleError,
    choose,
    probability,
)

WHOLE = -1  # the chain that holds out no inner fold
TYPES = {
    "chain": np.int64,
    "round": np.int64,
    "label": np.int64,
    "patient": str,
    "image": str,
    "cell": np.int64,
    "probability": np.float64,
}


class Learner(Protocol):
    """Trains a network on cells with labels and lets it judge every cell of the cohort."""

    def learn(
        self, cells: Cells, labels: NDArray[np.int64], *, with_labelled: bool, seed: int
    ) -> "Judgement":
        """Train, from the pretrained weights, on these cells and their (pseudo-)labels.

        cells (n,) positions in cells.csv; with_labelled: and on the labelled cells' training part.
        """
        ...


@dataclass(frozen=True)
class Judgement:
    """What a trained network says.

    log_odds (n_cells,) of label 1 for every cell of the cohort; labelled_accuracy on the labelled
    cells' validation part.
    """

    log_odds: Floats
    labelled_accuracy: float


@dataclass(frozen=True)
class Chain:
    """The cells from which one chain may take: those of its own training patients.

    held_out: the inner fold that it holds out, WHOLE for none; positives, negatives: cells of
    tumoral and of reactive patients.
    """

    held_out: int
    positives: Cells
    negatives: Cells


def chains_of(cells: pd.DataFrame, patients: pd.DataFrame, fold: pd.DataFrame) -> list[Chain]:
    """The chains of a fold: that of all its training patients, then one without each inner fold.

    cells, patients, fold: the rows of cells.csv, patients.csv and, for this fold, folds.csv.
    """
    training = fold[fold["part"] == "train"].set_index("patient")["inner"]
    label_of = patients.set_index("patient")["label"]
    inner = cells["patient"].map(training).to_numpy(np.float64)  # NaN: not a training patient
    label = cells["patient"].map(label_of).to_numpy(np.int64)
    chains = []
    for held_out in (WHOLE, *sorted(set(training))):
        eligible = ~np.isnan(inner) & (inner != held_out)
        by_label = [np.flatnonzero(eligible & (label == value)) for value in (1, 0)]
        chains.append(Chain(int(held_out), *by_label))
    return chains


def require_enough(
    chains: Sequence[Chain], patient_of: NDArray[np.int64], schedule: Schedule, choice: Choice
) -> None:
    """Raises ScheduleError where a chain has fewer cells to add than the schedule asks for.

    patient_of (n_cells,) tells cells of one patient from another's.
    """
    for chain in chains:
        for name, pool in (("tumoral", chain.positives), ("reactive", chain.negatives)):
            _, sizes = np.unique(patient_of[pool], return_counts=True)
            cap = choice.most_per_patient
            usable = int(sizes.sum() if cap is None else np.minimum(sizes, cap).sum())
            if usable < schedule.total:
                limit = "" if cap is None else f", at most {cap} a patient,"
                raise ScheduleError(
                    f"{usable} cells of {name} training patients{limit} are too few for the "
                    f"{schedule.total} that pseudo_label.schedule adds; shorten it in config.yaml"
                )


@dataclass(frozen=True)
class State:
    """Where a fold's chains stand after a round.

    added: a row, with the columns of TYPES, for each cell added so far by a chain; chains
    (n_chains,): the inner fold that each holds out; log_odds (n_chains, n_cells) of the networks
    trained on them; labelled_accuracy (n_chains,).
    """

    added: pd.DataFrame
    chains: NDArray[np.int64]
    log_odds: Floats
    labelled_accuracy: Floats


@dataclass(frozen=True)
class Rounds:
    """The rounds of one fold: its chains and everything that is the same in each.

    cells: cells.csv; seed: the run's, fold: the fold's number.
    """

    chains: Sequence[Chain]
    cells: pd.DataFrame
    schedule: Schedule
    choice: Choice
    learner: Learner
    seed: int
    fold: int

    def first(self) -> State:
        """Round 0: a network trained on the labelled cells alone, the same for every chain."""
        none = np.array([], dtype=np.int64)
        seed = self._seed(WHOLE, 0)
        judgement = self.learner.learn(none, none, with_labelled=True, seed=seed)
        empty = pd.DataFrame(columns=list(TYPES)).astype(TYPES)
        return self._state(empty, [judgement] * len(self.chains))

    def next(self, number: int, last: State) -> State:
        """Round `number`, from 1: add what the last networks are surest of, and train the next.

        Raises ScheduleError for a round beyond the schedule or for too few cells.
        """
        size = self.schedule.size_of(number)
        require_enough(self.chains, self.patient_of, self.schedule, self.choice)
        added = []
        for chain, log_odds in zip(self.chains, last.log_odds, strict=True):
            so_far = last.added[last.added["chain"] == chain.held_out]
            added += [so_far, self._additions(chain, log_odds, so_far, number, size)]
        return self._trained(pd.concat(added, ignore_index=True), number, with_labelled=True)

    def last_phase(self, state: State) -> State:
        """The networks trained on each chain's own added cells, without the labelled ones.

        Source: report 4.4.3.
        """
        return self._trained(state.added, len(self.schedule) + 1, with_labelled=False)

    def _trained(self, added: pd.DataFrame, number: int, *, with_labelled: bool) -> State:
        """A network for each chain, trained on what the chain has added."""
        judgements = []
        for chain in self.chains:
            cells, labels = cells_and_labels(added[added["chain"] == chain.held_out])
            seed = self._seed(chain.held_out, number)
            judgement = self.learner.learn(cells, labels, with_labelled=with_labelled, seed=seed)
            judgements.append(judgement)
        return self._state(added, judgements)

    def _state(self, added: pd.DataFrame, judgements: Sequence[Judgement]) -> State:
        return State(
            added,
            np.array([chain.held_out for chain in self.chains]),
            np.stack([judgement.log_odds for judgement in judgements]),
            np.array([judgement.labelled_accuracy for judgement in judgements]),
        )

    @cached_property
    def patient_of(self) -> NDArray[np.int64]:
        """A number for each cell's patient: (n_cells,)."""
        return pd.factorize(self.cells["patient"])[0].astype(np.int64)

    def _additions(
        self, chain: Chain, log_odds: Floats, so_far: pd.DataFrame, number: int, size: int
    ) -> pd.DataFrame:
        """The rows that a round adds to a chain, the surest first, label 1 before label 0."""
        cells, labels = cells_and_labels(so_far)
        positives = Pool(chain.positives, cells[labels == 1], self.patient_of)
        negatives = Pool(chain.negatives, cells[labels == 0], self.patient_of)
        draws = [self.seed, self.fold, chain.held_out + 1, number]
        chosen = choose(log_odds, positives, negatives, size, self.choice, draws)
        together = np.concatenate(chosen)
        return pd.DataFrame(
            {
                "chain": chain.held_out,
                "round": number,
                "label": np.repeat([1, 0], [len(part) for part in chosen]),
                "patient": self.cells["patient"].to_numpy()[together],
                "image": self.cells["image"].to_numpy()[together],
                "cell": together,
                "probability": probability(log_odds[together]),
            }
        ).astype(TYPES)

    def _seed(self, held_out: int, number: int) -> int:
        words = [self.seed, self.fold, held_out + 1, number]
        return int(np.random.SeedSequence(words).generate_state(1)[0]) >> 1


def account(state: State) -> list[dict[str, Any]]:
    """What each chain has behind it, as plain data: whose cells, how many, how it remembers.

    seen: the patients whose cells any network of the chain was trained on; unlikely: cells added
    as label 1 that the network called 0, because nothing surer was left.
    """
    chains = []
    for held_out, accuracy in zip(
        state.chains.tolist(), state.labelled_accuracy.tolist(), strict=True
    ):
        own = state.added[state.added["chain"] == held_out]
        positive = own[own["label"] == 1]
        chains.append(
            {
                "chain": held_out,
                "seen": sorted(set(own["patient"])),
                "positive": len(positive),
                "negative": len(own) - len(positive),
                "unlikely": int((positive["probability"] <= 0.5).sum()),
                "labelled_accuracy": accuracy,
            }
        )
    return chains


def cells_and_labels(added: pd.DataFrame) -> tuple[Cells, NDArray[np.int64]]:
    """Positions and pseudo-labels of added cells."""
    return added["cell"].to_numpy(np.int64), added["label"].to_numpy(np.int64)


def unseen(state: State, inner_of: NDArray[np.int64]) -> Floats:
    """For each cell the log odds by the chain that never saw its patient: (n_cells,).

    inner_of (n_cells,): the inner fold of the cell's patient, WHOLE for validation and test
    patients.
    """
    row_of = {held_out: row for row, held_out in enumerate(state.chains.tolist())}
    rows = np.array([row_of[inner] for inner in inner_of.tolist()])
    return np.asarray(state.log_odds[rows, np.arange(len(inner_of))])
