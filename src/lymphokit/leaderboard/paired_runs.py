"""Two submissions out of fold on the same patients: which is right where, and is one better?"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.evaluation.paired_comparison import comparison_table
from lymphokit.evaluation.uncertainty import Outcomes, UnpairedError
from lymphokit.leaderboard.distributions import LEVEL
from lymphokit.leaderboard.oof_expectation import Joint
from lymphokit.submission.run_folder import Run

RESAMPLES = 2000
_KEYS = ["repeat", "patient"]


@dataclass(frozen=True)
class Paired:
    """Two submissions on the same patients out of fold.

    row: that of `comparison_table`, the first against the second; joint: how often both, one or
    none is right, on tumoral and on reactive patients.
    """

    row: pd.Series
    joint: tuple[Joint, Joint]


def pair_runs(first: Run, second: Run, names: tuple[str, str]) -> Paired:
    """Compare two submissions on the patients and repeats that both were scored on.

    names: of the first and the second, for the row. The folds may differ: each decision on a
    patient was taken without that patient.
    Raises UnpairedError where they share no patient of a label, or disagree on a label.
    """
    tables = [run.decisions() for run in (first, second)]
    merged = tables[0].merge(tables[1], on=_KEYS, suffixes=("", "_second"))
    if (merged["label"] != merged["label_second"]).any():
        raise UnpairedError("the labels of the training patients differ")
    if merged["label"].nunique() < 2:
        raise UnpairedError("they were scored on no common patients of both labels")
    shared = merged[_KEYS]
    rows = [
        shared.merge(table, on=_KEYS).assign(model=name, part="validation")
        for table, name in zip(tables, names, strict=True)
    ]
    decisions = pd.concat(rows, ignore_index=True)
    outcomes = Outcomes.from_decisions(decisions, names)
    table = comparison_table(
        decisions, names[:1], names[1], resamples=RESAMPLES, level=LEVEL, seed=0
    )
    return Paired(table.iloc[0], (_joint(outcomes, 1), _joint(outcomes, 0)))


def _joint(outcomes: Outcomes, label: int) -> Joint:
    """How often both, the first, the second or none is right on patients of a label."""
    counted: NDArray[np.bool_] = outcomes.scored & (outcomes.labels == label)
    first, second = (right[counted] for right in outcomes.decisions == outcomes.labels)
    cells = (first & second, first & ~second, ~first & second, ~first & ~second)
    both, first_alone, second_alone, none = (float(cell.mean()) for cell in cells)
    return both, first_alone, second_alone, none
