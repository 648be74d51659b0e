"""Out of fold against the board: bands that hold what they say, and who is outside."""

import numpy as np
import pytest

from lymphokit.leaderboard.agreement import OutOfFold
from lymphokit.leaderboard.board import GRID, BoardError, boards, expected_range
from lymphokit.submission.ledger import LedgerError
from tests.leaderboard.test_compare import entered, submission


def test_an_empty_or_missing_ledger_says_what_to_do(tmp_path):
    with pytest.raises(BoardError, match="snakemake submission"):
        boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)


def test_a_score_far_off_is_outside_and_one_near_is_not(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("0.82", "0.45"))
    entered(submission(tmp_path / "b.csv", {4}), boards=("0.9", ""))
    (found,) = boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)
    assert (found.cohort, found.n_patients) == ("dlmi", 42)
    assert found.rows["board_public_outside"].tolist() == [False, False]
    assert found.rows["board_private_outside"].tolist() == [True, False]
    assert found.bands["board_public"].drawn == 21
    assert found.bands["board_public"].full.shape == (GRID, 2)


def test_the_size_of_the_test_is_asked_for_where_no_file_tells(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    submission(file, {1})
    with pytest.raises(BoardError, match="--test-patients"):
        boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)
    (found,) = boards(tmp_path / "ledger.csv", public=0.5, test_patients=30)
    assert found.n_patients == 30


def test_rows_that_leave_the_class_mix_open_are_told(tmp_path):
    entered(submission(tmp_path / "a.csv"), recall=1.0, specificity=1.0)
    with pytest.raises(BoardError, match="class mix"):
        boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)


def test_a_board_score_in_percent_is_refused(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("85.7", ""))
    with pytest.raises(LedgerError, match="board_public"):
        boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)


def test_the_band_holds_what_it_says_of_simulated_boards():
    """Figures seen on 121 patients, the truth unknown: new boards from where it may lie."""
    figures = OutOfFold(0.85, 0.85, 0.69, 121)
    low, high = expected_range(0.85, figures, 21, noise_alone=False)
    rng, inside, total = np.random.default_rng(5), 0, 3000
    seen = 121 * np.array([0.69 * 0.85, 0.69 * 0.15, 0.31 * 0.15, 0.31 * 0.85]) + 0.5
    for _ in range(total):
        tp, fn, fp, tn = rng.multinomial(21, rng.dirichlet(seen))
        defined = [right / n for right, n in ((tp, tp + fn), (tn, tn + fp)) if n]
        inside += low - 1e-9 <= np.mean(defined) <= high + 1e-9
    assert 0.94 < inside / total < 0.99  # at least 95%, more where scores are steps


def test_a_band_is_wider_for_fewer_patients_and_for_uncertain_figures():
    figures = OutOfFold(0.85, 0.85, 0.69, 60)

    def width(drawn: int, noise_alone: bool) -> float:
        low, high = expected_range(0.85, figures, drawn, noise_alone=noise_alone)
        return high - low

    assert width(21, False) > width(42, False) > width(42, True)
