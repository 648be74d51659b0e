"""Two submissions out of fold on the same patients: counted cells, tests, what is not paired."""

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lymphokit.evaluation.uncertainty import UnpairedError
from lymphokit.leaderboard.compare import Comparison, compare
from lymphokit.leaderboard.oof_expectation import OutOfFold, pair_shares
from lymphokit.leaderboard.paired_runs import Paired, pair_runs
from lymphokit.submission.csv_files import read_submission
from lymphokit.submission.run_folder import read_run
from tests.leaderboard.test_compare import HALF, entered, submission
from tests.submission.runs import decided, with_folder

LABELS = np.array([1] * 10 + [0] * 6)
FIRST = np.array([1] * 9 + [0] + [0] * 4 + [1] * 2)  # misses 1 of 10, false alarms 2 of 6
SECOND = np.array([1] * 7 + [0] * 3 + [0] * 5 + [1])  # misses 3, the first's among them; 1 alarm


def pair(folder: Path, first: pd.DataFrame, second: pd.DataFrame) -> Paired:
    runs = []
    for name, table in (("a", first), ("b", second)):
        csv = submission(folder / f"{name}.csv")
        with_folder(csv, table)
        run = read_run(read_submission(csv))
        assert run is not None
        runs.append(run)
    return pair_runs(runs[0], runs[1], ("A", "B"))


def test_the_cells_are_counted_on_the_patients_of_each_label(tmp_path: Path) -> None:
    found = pair(tmp_path, decided(LABELS, FIRST), decided(LABELS, SECOND))
    tumoral, reactive = found.joint
    assert tumoral == pytest.approx((7 / 10, 2 / 10, 0, 1 / 10))
    assert reactive == pytest.approx((4 / 6, 0, 1 / 6, 1 / 6))
    row = found.row
    assert (row["model"], row["reference"], row["n_patients"]) == ("A", "B", 16)
    assert (row["only_model_right"], row["only_reference_right"]) == (2, 1)
    # (9 / 10 + 4 / 6) / 2 against (7 / 10 + 5 / 6) / 2.
    assert row["balanced_accuracy"] == pytest.approx((0.9 + 4 / 6 - 0.7 - 5 / 6) / 2)
    assert row["low"] <= row["balanced_accuracy"] <= row["high"]


def test_rows_in_another_order_and_other_folds_are_paired_by_patient(tmp_path: Path) -> None:
    shuffled = decided(LABELS, SECOND).assign(fold=lambda table: 1 + table.index % 5)
    shuffled = shuffled.sample(frac=1, random_state=0)
    found = pair(tmp_path, decided(LABELS, FIRST), shuffled)
    assert found.joint[0] == pytest.approx((0.7, 0.2, 0, 0.1))


def test_repeats_and_patients_that_only_one_has_are_left_out(tmp_path: Path) -> None:
    more = pd.concat([decided(LABELS, FIRST), decided(LABELS, 1 - FIRST, repeat=2)])
    fewer = decided(LABELS[2:], SECOND[2:]).assign(
        patient=lambda table: [f"T{2 + n}" for n in range(len(table) - 1)] + ["P0"]
    )
    found = pair(tmp_path, more, fewer)
    assert found.row["n_patients"] == 14
    assert found.joint[0] == pytest.approx((5 / 8, 2 / 8, 0, 1 / 8))


def test_two_repeats_are_averaged(tmp_path: Path) -> None:
    both = [
        pd.concat([decided(LABELS, one), decided(LABELS, other, repeat=2)])
        for one, other in ((FIRST, LABELS), (SECOND, LABELS))
    ]
    tumoral, _ = pair(tmp_path, *both).joint
    assert tumoral == pytest.approx((17 / 20, 2 / 20, 0, 1 / 20))


def test_labels_that_differ_and_patients_of_one_label_are_not_paired(tmp_path: Path) -> None:
    with pytest.raises(UnpairedError):
        pair(tmp_path, decided(LABELS, FIRST), decided(1 - LABELS, SECOND))
    with pytest.raises(UnpairedError):
        pair(tmp_path, decided(LABELS[:10], FIRST[:10]), decided(LABELS, SECOND))


def test_measured_cells_replace_the_inferred_ones() -> None:
    """Jeffreys' prior, shared by two cells of a pair, on the cells times the effective size."""
    figures = OutOfFold(0.9, 4 / 6, 0.625, 16), OutOfFold(0.7, 5 / 6, 0.625, 16)
    measured = (0.7, 0.2, 0.0, 0.1), (4 / 6, 0.0, 1 / 6, 1 / 6)
    both, first, second, neither = pair_shares(*figures, 0.5, measured)
    assert astuple(both) == pytest.approx((7 + 0.25, 1 + 0.25))
    assert astuple(first) == pytest.approx((2 + 0.25, 1 + 0.25))
    assert astuple(second) == pytest.approx((0 + 0.25, 0 + 0.25))
    assert astuple(neither) == pytest.approx((1 + 0.25, 4 + 0.25))


def duel(folder: Path, second: np.ndarray, *, both: bool) -> Comparison:
    """Two files that are about as good in the ledger and differ on three test patients."""
    folder.mkdir()
    files = [submission(folder / "a.csv"), submission(folder / "b.csv", {3, 20, 40})]
    for file, score in zip(files, (0.86, 0.85), strict=True):
        entered(file, score, score)
    with_folder(files[0], decided(np.repeat([1, 0], 60), np.repeat([1, 0], 60)))
    if both:
        with_folder(files[1], decided(np.repeat([1, 0], 60), second))
    return compare(files, HALF)


def test_with_both_folders_the_lead_follows_from_what_was_measured(tmp_path: Path) -> None:
    worse = np.tile([1, 0], 60)  # right on every other patient of both labels
    inferred, measured = (
        duel(tmp_path / name, worse, both=name == "both") for name in ("one", "both")
    )
    assert inferred.best.letter == measured.best.letter == "A"
    assert 0.3 < inferred.others[0].lead.p_positive < 0.7
    assert measured.others[0].lead.p_positive > 0.85
    paired = measured.others[0].paired
    assert paired is not None
    assert paired.row["only_model_right"] == 60
    assert paired.row["mcnemar_p"] == pytest.approx(2 * 0.5**60)
    assert inferred.others[0].paired is None
    assert any("B" in note and "folder" in note for note in inferred.notes)
    assert not any("folder" in note for note in measured.notes)


def test_a_pair_that_cannot_be_tested_is_inferred_with_a_note(tmp_path: Path) -> None:
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    for file, labels in zip(files, (LABELS, 1 - LABELS), strict=True):
        entered(file)
        with_folder(file, decided(labels, FIRST))
    found = compare(files, HALF)
    assert found.others[0].paired is None
    assert any("inferred" in note for note in found.notes)
