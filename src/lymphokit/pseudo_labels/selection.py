"""Cell selection: how many cells a round of pseudo-labelling adds, and which."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError

Cells = NDArray[np.int64]  # positions in cells.csv
Floats = NDArray[np.float64]


class RoundsError(LymphokitError):
    """A round beyond the last one, or more cells to add than there are."""


@dataclass(frozen=True)
class RoundSizes:
    """How many cells of each label every round adds; sizes[0] belongs to round 1."""

    sizes: tuple[int, ...]

    @classmethod
    def from_config(cls, blocks: Sequence[dict[str, int]]) -> Self:
        """Expand the blocks of config.yaml: `[{count: 5, add: 2}, {count: 18, add: 5}]`."""
        return cls(tuple(block["add"] for block in blocks for _ in range(block["count"])))

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def total(self) -> int:
        """Cells of each label after the last round."""
        return sum(self.sizes)

    def size_of(self, number: int) -> int:
        """Cells of each label that round `number`, from 1, adds; round 0 adds none.

        Raises RoundsError for a round beyond the last.
        """
        if not 0 <= number <= len(self):
            raise RoundsError(
                f"round {number}: pseudo_label.rounds in config.yaml has {len(self)} rounds; "
                "add rounds there, or name one of them"
            )
        return self.sizes[number - 1] if number else 0


@dataclass(frozen=True)
class SelectionSettings:
    """How a round selects cells.

    confidence: `absolute`, the highest probability of label 1; `within_patient`, the highest log
        odds above the mean of the patient's cells, which cancels a shift common to a slide.
    floor: least probability of a cell added as label 1, None for none; a round adds fewer cells of
        both labels where too few reach it.
    most_per_patient: cap on the cells of a patient over all rounds, None for none.
    negatives: `random`, or `hard`, the reactive patients' cells that look most like label 1.
    ties: among equally confident cells `order`, that of cells.csv, or `spread`, the patient with
        the fewest added cells first.
    Source: report 4.4.2 has `absolute`, no floor, no cap, `random`, `order`.
    """

    # A dataclass, not a pydantic model: every round is a job, and would import pydantic for this.

    confidence: Literal["absolute", "within_patient"]
    floor: float | None
    most_per_patient: int | None
    negatives: Literal["random", "hard"]
    ties: Literal["order", "spread"]


@dataclass(frozen=True)
class CellPool:
    """The cells of one label: all `cells`, those `taken` already, and each cell's patient.

    patient_of (n_cells,) numbers the patients of all cells of the cohort.
    """

    cells: Cells
    taken: Cells
    patient_of: NDArray[np.int64]

    def most_confident(self, confidence: Floats, size: int, settings: SelectionSettings) -> Cells:
        """Return up to `size` cells not taken yet, most confident first, within the cap.

        confidence (n_cells,) of every cell of the cohort.
        """
        n_taken = np.bincount(self.patient_of[self.taken], minlength=self.patient_of.max() + 1)
        left = np.setdiff1d(self.cells, self.taken)
        spread = settings.ties == "spread"
        tie_breaker = n_taken[self.patient_of[left]] if spread else np.zeros(len(left))
        # lexsort: the last key sorts first; the cell's position makes the order total.
        ranked = left[np.lexsort((left, tie_breaker, -confidence[left]))]
        if settings.most_per_patient is None:
            return ranked[:size]
        selected: list[int] = []
        for cell in ranked.tolist():
            patient = self.patient_of[cell]
            if len(selected) < size and n_taken[patient] < settings.most_per_patient:
                n_taken[patient] += 1
                selected.append(cell)
        return np.array(selected, dtype=np.int64)


def select_cells(
    log_odds: Floats,
    positives: CellPool,
    negatives: CellPool,
    size: int,
    settings: SelectionSettings,
    seed: Sequence[int],
) -> tuple[Cells, Cells]:
    """Select the cells that a round adds as label 1, and as many as label 0.

    log_odds (n_cells,) of the previous round's network. Without a floor there are `size` of each.
    """
    confidence = _confidence(log_odds, positives.patient_of, settings)
    selected = positives.most_confident(confidence, size, settings)
    if settings.floor is not None:
        selected = selected[probability(log_odds[selected]) >= settings.floor]
    preference = log_odds
    if settings.negatives == "random":
        preference = np.random.default_rng(seed).random(len(log_odds))
    return selected, negatives.most_confident(preference, len(selected), settings)


def probability(log_odds: Floats) -> Floats:
    """P(1) from log odds; tanh does not overflow where exp would."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def _confidence(
    log_odds: Floats, patient_of: NDArray[np.int64], settings: SelectionSettings
) -> Floats:
    if settings.confidence == "absolute":
        return log_odds
    sizes = np.maximum(np.bincount(patient_of), 1)
    means = np.bincount(patient_of, weights=log_odds) / sizes
    return np.asarray(log_odds - means[patient_of])
