"""Board scores against out-of-fold scores: coverage of the bands, points outside."""

import numpy as np
import pytest

from lymphokit.leaderboard.board import GRID, BoardError, boards, score_interval
from lymphokit.leaderboard.records import Options
from lymphokit.submission.ledger import LedgerError
from tests.leaderboard.test_compare import HALF, entered, submission


def test_an_empty_or_missing_ledger_says_what_to_do(tmp_path):
    with pytest.raises(BoardError, match="snakemake submission"):
        boards(tmp_path / "ledger.csv", HALF)


def test_a_score_far_off_is_outside_and_one_near_is_not(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("0.82", "0.45"))
    entered(submission(tmp_path / "b.csv", {4}), boards=("0.9", ""))
    (found,) = boards(tmp_path / "ledger.csv", HALF)
    assert (found.cohort, found.n_patients) == ("dlmi", 42)
    assert found.rows["board_public_outside"].tolist() == [False, False]
    assert found.rows["board_private_outside"].tolist() == [True, False]
    assert found.bands["board_public"].n_drawn == 21
    assert found.bands["board_public"].full.shape == (len(GRID), 2)


def test_the_test_size_is_an_option_where_no_unchanged_file_has_it(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    submission(file, {1})
    with pytest.raises(BoardError, match="--test-patients"):
        boards(tmp_path / "ledger.csv", HALF)
    (found,) = boards(tmp_path / "ledger.csv", HALF, test_patients=30)
    assert found.n_patients == 30


def test_a_ledger_without_sample_size_needs_an_option(tmp_path):
    entered(submission(tmp_path / "a.csv"))
    ledger = tmp_path / "ledger.csv"
    ledger.write_text(ledger.read_text().replace("60.000000", ""))
    with pytest.raises(BoardError, match="--oof-patients"):
        boards(ledger, HALF)
    (narrow,) = boards(ledger, Options(0.5, effective_size=600.0))
    (wide,) = boards(ledger, Options(0.5, effective_size=60.0))
    assert narrow.rows["board_public_low"][0] > wide.rows["board_public_low"][0]


def test_a_board_score_in_percent_is_refused(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("85.7", ""))
    with pytest.raises(LedgerError, match="board_public"):
        boards(tmp_path / "ledger.csv", HALF)


def test_the_band_has_its_coverage_of_simulated_boards():
    """The truth is drawn from its posterior after 121 patients with recall = specificity."""
    low, high = score_interval(0.85, 0.69, 121, 21, exact=False)
    rng, inside, total = np.random.default_rng(5), 0, 3000
    seen = 121 * np.array([0.69 * 0.85, 0.69 * 0.15, 0.31 * 0.15, 0.31 * 0.85]) + 0.5
    for _ in range(total):
        tp, fn, fp, tn = rng.multinomial(21, rng.dirichlet(seen))
        defined = [right / n for right, n in ((tp, tp + fn), (tn, tn + fp)) if n]
        inside += low - 1e-9 <= np.mean(defined) <= high + 1e-9
    assert 0.94 < inside / total < 0.99  # at least 95%, more because scores are discrete


def test_a_band_is_wider_for_fewer_patients_and_for_uncertain_figures():
    def width(n_drawn: int, exact: bool) -> float:
        low, high = score_interval(0.85, 0.69, 60, n_drawn, exact=exact)
        return high - low

    assert width(21, False) > width(42, False) > width(42, True)
