"""Which cells a round of pseudo-labelling adds: how many, how sure, from whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError

Cells = NDArray[np.int64]
Floats = NDArray[np.float64]


class ScheduleError(LymphokitError):
    """A round was asked for that the schedule does not have, or more cells than there are."""


@dataclass(frozen=True)
class Schedule:
    """How many cells of each label every round adds; sizes[0] is round 1's."""

    sizes: tuple[int, ...]

    @classmethod
    def of(cls, stretches: Sequence[dict[str, int]]) -> Self:
        """From config.yaml: `[{rounds: 5, add: 2}, {rounds: 18, add: 5}]`."""
        return cls(tuple(part["add"] for part in stretches for _ in range(part["rounds"])))

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def total(self) -> int:
        """Cells of each label after the last round."""
        return sum(self.sizes)

    def size_of(self, number: int) -> int:
        """Cells of each label that round `number`, from 1, adds; round 0 adds none.

        Raises ScheduleError for a round that the schedule does not have.
        """
        if not 0 <= number <= len(self):
            raise ScheduleError(
                f"round {number}: pseudo_label.schedule in config.yaml has {len(self)} rounds; "
                "lengthen it there, or ask for one of them"
            )
        return self.sizes[number - 1] if number else 0


@dataclass(frozen=True)
class Choice:
    """How a round chooses cells; the report's is absolute, no floor, no cap, random, order.

    confidence: `absolute`, the highest probability of label 1; `within_patient`, the highest log
    odds above the mean of the patient's cells, whatever the slide's stain adds to all of them.
    floor: the least probability of a cell added as label 1, None for none; a round adds fewer
    cells, of either label, where too few reach it. most_per_patient: over all rounds, None for no
    limit. negatives: `random`, or `hard`, those that look most like label 1. ties: between equally
    confident cells `order`, that of cells.csv, or `spread`, the patient with fewest added first.
    """

    confidence: Literal["absolute", "within_patient"]
    floor: float | None
    most_per_patient: int | None
    negatives: Literal["random", "hard"]
    ties: Literal["order", "spread"]


@dataclass(frozen=True)
class Pool:
    """The cells of one label that a chain may still take, and whom they belong to.

    cells: all that the chain may take; taken: those it has; patient_of (n_cells,).
    """

    cells: Cells
    taken: Cells
    patient_of: NDArray[np.int64]

    def best(self, confidence: Floats, size: int, choice: Choice) -> Cells:
        """The `size` most confident cells not taken yet, the surest first, within the cap.

        confidence (n_cells,) of every cell of the cohort.
        """
        taken_of = np.bincount(self.patient_of[self.taken], minlength=self.patient_of.max() + 1)
        left = np.setdiff1d(self.cells, self.taken)
        spread = taken_of[self.patient_of[left]] if choice.ties == "spread" else np.zeros(len(left))
        ranked = left[np.lexsort((left, spread, -confidence[left]))]
        if choice.most_per_patient is None:
            return ranked[:size]
        chosen: list[int] = []
        for cell in ranked.tolist():
            if len(chosen) < size and taken_of[self.patient_of[cell]] < choice.most_per_patient:
                taken_of[self.patient_of[cell]] += 1
                chosen.append(cell)
        return np.array(chosen, dtype=np.int64)


def choose(
    log_odds: Floats,
    positives: Pool,
    negatives: Pool,
    size: int,
    choice: Choice,
    seed: Sequence[int],
) -> tuple[Cells, Cells]:
    """The cells that a round adds as label 1, and as many as label 0.

    log_odds (n_cells,): the last network's. Without a floor there are `size` of each.
    """
    added = positives.best(_confidence(log_odds, positives.patient_of, choice), size, choice)
    if choice.floor is not None:
        added = added[probability(log_odds[added]) >= choice.floor]
    preference = log_odds
    if choice.negatives == "random":
        preference = np.random.default_rng(seed).random(len(log_odds))
    return added, negatives.best(preference, len(added), choice)


def probability(log_odds: Floats) -> Floats:
    """P(1) of log odds, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def _confidence(log_odds: Floats, patient_of: NDArray[np.int64], choice: Choice) -> Floats:
    if choice.confidence == "absolute":
        return log_odds
    sizes = np.maximum(np.bincount(patient_of), 1)
    means = np.bincount(patient_of, weights=log_odds) / sizes
    return np.asarray(log_odds - means[patient_of])
