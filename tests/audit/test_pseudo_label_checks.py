"""A lineage that is wrong, missing or of other cells is found, and so is a leaked score."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lymphokit.audit.pseudo_label_checks import PseudoLabelRecord, check_pseudo_labels
from lymphokit.pseudo_labels.selection import probability
from lymphokit.pseudo_labels.state import NONE_HELD_OUT, State
from tests.pseudo_labels import test_lineage as lineage

SHA = "c0ffee"
LOG_ODDS = np.random.default_rng(0).normal(size=(3, 12))
# Two cells each of A and B (inner 0), C and D (inner 1), V (validation) and T (test).
BY = [1] * 4 + [2] * 4 + [0] * 4


def honest() -> PseudoLabelRecord:
    added = lineage.honest()
    last = State(added, np.array([NONE_HELD_OUT, 0, 1]), LOG_ODDS, np.ones(3))
    bank = probability(LOG_ODDS[BY, range(12)]).astype(np.float32)
    receipt = {**lineage.checked(added), "added_sha256": SHA}
    return PseudoLabelRecord(receipt, added, SHA, [], ["A", "B", "C", "D"], last, bank)


def findings(files: PseudoLabelRecord, sizes: Sequence[int] = lineage.SIZES) -> str:
    check = check_pseudo_labels(
        {(1, "pseudo_label"): files},
        lineage.FOLD,
        lineage.PATIENTS,
        lineage.CELLS,
        sizes=sizes,
        exact=True,
    )
    assert {fault.patient for fault in check.faults} <= {"fold1"}
    assert {fault.remedy for fault in check.faults} <= {
        "run the rounds of this fold again: snakemake -R round_zero pseudo_label"
    }
    return "\n".join(fault.finding for fault in check.faults)


def with_receipt(**changes: Any) -> PseudoLabelRecord:
    files = honest()
    return replace(files, receipt={**(files.receipt or {}), **changes})


def from_a_stranger() -> PseudoLabelRecord:
    added = lineage.with_row(0, patient="V", cell=8)()
    files = honest()
    return replace(files, added=added, last=replace(files.last, added=added))


def scored_with_a_leak() -> PseudoLabelRecord:
    bank = probability(LOG_ODDS[[0] * 12, range(12)]).astype(np.float32)
    return replace(honest(), bank=bank)


def trained_on_other_cells() -> PseudoLabelRecord:
    files = honest()
    return replace(files, last=replace(files.last, added=files.added.iloc[:-1]))


def test_honest_files_pass_and_are_counted() -> None:
    check = check_pseudo_labels(
        {(1, "pseudo_label"): honest()},
        lineage.FOLD,
        lineage.PATIENTS,
        lineage.CELLS,
        sizes=[1, 1],
        exact=True,
    )
    assert check.faults == ()
    assert check.compared == (
        "1 lineage, 12 added cells, 12 probabilities of cells: 0 of a wrong lineage"
    )


@pytest.mark.parametrize(
    ("plant", "finding"),
    [
        (from_a_stranger, "all training patients, round 1: V is a validation patient"),
        (lambda: replace(honest(), stain_patients=["A", "T"]), "stain was measured on T"),
        (lambda: replace(honest(), receipt=None), "lineage.json is missing"),
        (lambda: with_receipt(added_sha256="decaf"), "lineage.json is of another added.csv"),
        (lambda: with_receipt(label_sources={"-1": ["A"]}), "lineage.json lists other patients"),
        (lambda: with_receipt(fold=2), "lineage.json lists other patients"),
        (trained_on_other_cells, "last/added.csv holds other cells"),
        (scored_with_a_leak, "8 cells not scored by the network"),
        (scored_with_a_leak, "A, B, C, D"),
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[], PseudoLabelRecord], finding: str) -> None:
    assert finding in findings(plant())


def test_a_patient_who_is_twice_in_the_folds_does_not_stop_the_search() -> None:
    twice = pd.concat([lineage.FOLD, lineage.FOLD.head(1)])
    check = check_pseudo_labels(
        {(1, "pseudo_label"): scored_with_a_leak()},
        twice,
        lineage.PATIENTS,
        lineage.CELLS,
        sizes=lineage.SIZES,
        exact=True,
    )
    assert len(check.faults) == 1


def test_rounds_that_start_from_bags_are_checked_as_such() -> None:
    files = honest()
    added = lineage.with_draws(honest().added)
    receipt = {**lineage.checked(added, drawn=1, sizes=[1], stain_patients=[]), "added_sha256": SHA}
    last = replace(files.last, added=added)
    bags = replace(files, receipt=receipt, added=added, last=last, drawn=1, stain_patients=[])
    assert findings(bags, [1]) == ""
    assert "round 0: drew 1 cells as 1" in findings(replace(bags, drawn=None), [1])
    assert "round 0: drew 0 cells as 1" in findings(replace(files, drawn=1), [1])


def test_a_run_without_pseudo_labels_passes_and_says_so() -> None:
    check = check_pseudo_labels(
        {}, lineage.FOLD, lineage.PATIENTS, lineage.CELLS, sizes=(), exact=True
    )
    assert check.faults == ()
    assert check.compared == "no model of this run learns from pseudo-labels"
