"""Board scores against out-of-fold scores: coverage of the bands, points outside."""

import math

import numpy as np
import pytest

from lymphokit.leaderboard.board import GRID, boards, expected_score
from lymphokit.leaderboard.distributions import Distribution, Group, LeaderboardError, distribution
from lymphokit.leaderboard.oof_expectation import OutOfFold
from lymphokit.submission.ledger import LedgerError
from tests.leaderboard.test_compare import HALF, entered, submission


def test_an_empty_or_missing_ledger_says_what_to_do(tmp_path):
    with pytest.raises(LeaderboardError, match="snakemake submission"):
        boards(tmp_path / "ledger.csv", HALF)


def test_a_score_far_off_is_outside_and_one_near_is_not(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("0.82", "0.45"))
    entered(submission(tmp_path / "b.csv", {4}), boards=("0.9", ""))
    public, private = boards(tmp_path / "ledger.csv", HALF)
    assert (public.cohort, public.name, private.name) == ("dlmi", "public", "private")
    assert (public.n_patients, private.n_patients) == (21, 21)
    assert public.rows["outside"].tolist() == [False, False]
    assert private.rows["outside"].tolist() == [True, False]
    assert len(private.scored) == 1
    assert public.band.shape == (len(GRID), 2)


def test_the_test_size_is_that_of_any_file_beside_the_ledger(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv")]
    for file in files:
        entered(file)
    files[0].unlink()
    assert [board.n_patients for board in boards(tmp_path / "ledger.csv", 0.3)] == [13, 29]
    files[1].unlink()
    with pytest.raises(LeaderboardError, match=r"a\.csv, b\.csv"):
        boards(tmp_path / "ledger.csv", HALF)


def test_a_cohort_without_a_file_is_left_out_and_named(tmp_path, capsys):
    for name in ("gone.csv", "here.csv"):
        entered(submission(tmp_path / name))
    ledger = tmp_path / "ledger.csv"
    first, *rows = ledger.read_text().splitlines()
    rows[0] = rows[0].replace("dlmi", "other")
    ledger.write_text("\n".join([first, *rows]) + "\n")
    (tmp_path / "gone.csv").unlink()
    assert {board.cohort for board in boards(ledger, HALF)} == {"dlmi"}
    printed = capsys.readouterr()
    assert "gone.csv" in printed.out + printed.err


def test_a_larger_sample_narrows_the_interval(tmp_path):
    entered(submission(tmp_path / "a.csv"))
    ledger, low = tmp_path / "ledger.csv", []
    for size in ("60.000000", "600.000000"):
        ledger.write_text(ledger.read_text().replace("60.000000", size))
        low.append(boards(ledger, HALF)[0].rows["low"][0])
    assert low[0] < low[1]


def test_a_submission_without_an_out_of_fold_score_is_left_out(tmp_path):
    entered(submission(tmp_path / "a.csv"))
    entered(submission(tmp_path / "b.csv", {4}), math.nan)
    assert boards(tmp_path / "ledger.csv", HALF)[0].rows["file"].tolist() == ["a.csv"]


def test_a_board_score_in_percent_is_refused(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("85.7", ""))
    with pytest.raises(LedgerError, match="board_public"):
        boards(tmp_path / "ledger.csv", HALF)


def test_the_band_has_its_coverage_of_simulated_boards():
    """The truth is drawn from its posterior after 121 patients with recall = specificity."""
    low, high = expected_score(0.85, 0.69, 121, 21).interval()
    rng, inside, total = np.random.default_rng(5), 0, 3000
    seen = 121 * np.array([0.69 * 0.85, 0.69 * 0.15, 0.31 * 0.15, 0.31 * 0.85]) + 0.5
    for _ in range(total):
        tp, fn, fp, tn = rng.multinomial(21, rng.dirichlet(seen))
        defined = [right / n for right, n in ((tp, tp + fn), (tn, tn + fp)) if n]
        inside += low - 1e-9 <= np.mean(defined) <= high + 1e-9
    assert 0.94 < inside / total < 0.99  # at least 95%, more because scores are discrete


def test_a_band_is_wider_for_fewer_patients():
    def width(n_patients: int, effective_size: float) -> float:
        low, high = expected_score(0.85, 0.69, effective_size, n_patients).interval()
        return high - low

    assert width(21, 60) > width(42, 60) > width(42, 1e6)


def test_an_unseen_file_is_the_mixture_of_all_files():
    figures = OutOfFold(0.8, 0.8, 0.7, 30)
    tumoral = figures.tumoral_given_prediction()
    files = [distribution(list(map(Group, (n, 6 - n), tumoral)), 6, (1, 0)) for n in range(7)]
    mixed = Distribution.from_outcomes(
        (file.values, p * file.probabilities)
        for file, p in zip(files, figures.positive_rate().count_pmf(6), strict=True)
    )
    found = expected_score(0.8, 0.7, 30, 6)
    np.testing.assert_array_equal(found.values, mixed.values)
    np.testing.assert_allclose(found.probabilities, mixed.probabilities, atol=1e-12)
