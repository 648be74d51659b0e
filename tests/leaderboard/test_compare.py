"""A whole comparison: what is read, what is assumed, who is likely ahead, which two to keep."""

import math
from pathlib import Path

import numpy as np
import pytest

from lymphokit.leaderboard.assumed import Asked, CompareError, letter, public_size
from lymphokit.leaderboard.chances import Distribution
from lymphokit.leaderboard.compare import Comparison, compare, utmost
from lymphokit.leaderboard.known import UnknownLedgerError, look_up
from lymphokit.leaderboard.read import read_submission
from lymphokit.provenance import file_sha256
from lymphokit.submission.ledger import Entry, LedgerError, append

N, TUMORAL = 42, 29
HALF = Asked(public=0.5)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Away from a ledger that a checkout in use has in submissions/."""
    monkeypatch.chdir(tmp_path)


def submission(path: Path, flipped=()) -> Path:
    """42 patients, the first 29 called tumoral but for those that are flipped."""
    labels = [int(i < TUMORAL) ^ (i in flipped) for i in range(N)]
    rows = [f"P{i},{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["ID,LABEL", *rows]) + "\n")
    return path


def entered(path: Path, recall=0.85, specificity=0.85, half_width=0.07, boards=("", "")) -> None:
    """Put a file into the ledger beside it, with these figures of training patients like ours."""
    share, score = TUMORAL / N, (recall + specificity) / 2
    called = recall * share + (1 - specificity) * (1 - share)
    figures = {"oof_auc": 0.9, "oof_auc_low": 0.85, "oof_auc_high": 0.95, "oof_f1": 0.9}
    entry = Entry(
        file=path.name,
        sha256=file_sha256(path),
        commit="none",
        config_digest="c",
        folds_digest="f",
        cohort="dlmi",
        blend="stack",
        oof_balanced_accuracy=score,
        oof_balanced_accuracy_low=score - half_width,
        oof_balanced_accuracy_high=min(score + half_width, 1.0),
        oof_recall=recall,
        oof_precision=recall * share / called,
        utc="20261123T141530Z",
        **figures,
    )
    ledger = path.parent / "ledger.csv"
    append(ledger, entry)
    text = ledger.read_text()
    ledger.write_text(text[: -len(",,\n")] + ",{},{}\n".format(*boards))


@pytest.fixture
def pair(tmp_path) -> list[Path]:
    """Two files that differ in three patients, both in the ledger, equally good out of fold."""
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    for file in files:
        entered(file)
    return files


def test_three_patients_are_not_enough_to_tell(pair):
    found = compare(pair, HALF)
    one = found.pairs[0]
    assert (one.only_a, one.only_b, one.differing) == (2, 1, 3)
    assert [found.patients[i] for i in found.contested] == ["P3", "P20", "P40"]
    assert found.n_public == 21
    assert found.tumoral_share == pytest.approx(TUMORAL / N, abs=1e-5)
    assert abs(one.leads["all"].mean) < 0.01
    assert 0.2 < one.leads["all"].above < 0.8
    assert found.notes[-1].startswith("69% of the test patients")


def test_by_how_much_the_board_can_move_at_most():
    ahead, behind = utmost(2, 1, n_tumoral=29, n_reactive=13)
    assert ahead == pytest.approx((2 / 29 + 1 / 13) / 2)
    assert behind == pytest.approx(-(1 / 29 + 2 / 13) / 2)


def test_no_outcome_of_a_typical_test_lies_beyond_the_utmost(pair):
    pair_found = compare(pair, HALF).pairs[0]
    a, b = (read_submission(path).labels for path in pair)
    rng = np.random.default_rng(0)
    for _ in range(300):
        truth = rng.permutation(np.arange(N) < TUMORAL)
        lead = sum(
            np.mean((a == truth)[truth == which]) - np.mean((b == truth)[truth == which])
            for which in (False, True)
        )
        assert pair_found.least - 1e-9 <= lead / 2 <= pair_found.most + 1e-9


def test_a_file_that_is_better_out_of_fold_is_likelier_ahead_and_kept_first(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", set(range(0, 40, 4)))]
    entered(files[0], 0.93, 0.93)
    entered(files[1], 0.75, 0.75)
    found = compare(files, HALF)
    assert found.pairs[0].leads["all"].above > 0.95
    assert found.advice is not None
    assert (found.advice.first, found.advice.second) == (0, 1)
    turned = compare(files[::-1], HALF)
    assert turned.pairs[0].leads["all"].below == pytest.approx(found.pairs[0].leads["all"].above)
    assert turned.advice is not None
    assert (turned.advice.first, turned.advice.second) == (1, 0)


def test_the_second_to_keep_is_the_one_that_differs(tmp_path):
    flips = {"best": set(), "alike": {5}, "other": {2, 7, 11, 16, 30, 33, 36, 39}}
    files = [submission(tmp_path / f"{name}.csv", flipped) for name, flipped in flips.items()]
    for file, score in zip(files, (0.87, 0.86, 0.85), strict=True):
        entered(file, score, score)
    advice = compare(files, HALF).advice
    assert advice is not None
    assert (advice.first, advice.second) == (0, 2)
    assert advice.gain > 0.02


def test_the_better_of_two_is_expected_at_its_simulated_mean(pair):
    """The maximum of two boards is the first's score plus what the second leads by, if it does."""
    found = compare(pair, HALF)
    assert found.advice is not None
    lead = found.pairs[0].leads["private"]
    sign = 1 if found.advice.second == 0 else -1
    draws = np.random.default_rng(1).choice(lead.values, p=lead.chances, size=40000)
    assert found.advice.gain == pytest.approx(np.maximum(sign * draws, 0).mean(), abs=1e-3)


def test_the_same_file_twice_is_level_for_certain(pair):
    found = compare([pair[0], pair[0]], HALF)
    assert len(found.contested) == 0
    assert found.pairs[0].leads["private"].level == 1.0
    assert found.advice is not None
    assert found.advice.gain == 0.0


def test_without_any_figures_both_are_taken_to_be_equally_good_and_nothing_is_advised(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    found = compare(files, HALF)
    assert found.advice is None
    assert found.entrants[0].expected == {}
    assert found.tumoral_share == pytest.approx((29 + 28) / 84)
    assert abs(found.pairs[0].leads["all"].mean) < 0.01
    assert "no out-of-fold score of any file" in found.notes[0]


def test_a_file_without_a_score_of_its_own_is_as_good_as_the_rest_and_that_is_said(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    entered(files[0])
    found = compare(files, HALF)
    assert found.entrants[1].known.figures is None
    assert "no out-of-fold score of B: taken to be as good as the rest" in found.notes
    means = [entrant.expected["all"].mean for entrant in found.entrants]
    assert means[0] == pytest.approx(means[1], abs=0.01)


def test_a_file_that_was_changed_or_renamed_is_not_the_ledgers(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    renamed = tmp_path / "renamed.csv"
    renamed.write_bytes(file.read_bytes())
    submission(file, {1})
    known, notes = look_up([read_submission(path) for path in (file, renamed)], None)
    assert [one.figures for one in known] == [None, None]
    assert "changed since" in notes[0]
    assert "knows the content of renamed.csv as a.csv" in notes[1]


def test_what_was_given_stands_in_place_of_the_ledger(pair):
    asked = Asked(0.5, recall=(0.9, 0.7), specificity=(0.8,), patients=121, tumoral_share=0.6)
    found = compare(pair, asked)
    figures = [entrant.known.figures for entrant in found.entrants]
    assert [(one.recall, one.specificity, one.patients) for one in figures if one] == [
        (0.9, 0.8, 121),
        (0.7, 0.8, 121),
    ]
    assert found.tumoral_share == 0.6


def test_more_labelled_patients_narrow_the_interval_down_to_chance_alone(pair):
    def width(patients: float) -> float:
        asked = Asked(0.5, recall=(0.85,), specificity=(0.85,), patients=patients)
        low, high = compare(pair, asked).entrants[0].expected["all"].interval(0.95)
        return high - low

    one = compare(pair, Asked(0.5, (0.85,), (0.85,), patients=1e6)).entrants[0]
    assert width(20) > width(120) >= width(1e6)
    assert one.expected["all"].interval(0.95) == one.noise["all"].interval(0.95)


@pytest.mark.parametrize(
    ("asked", "finding"),
    [
        (Asked(0.0), "a public part of 0"),
        (Asked(1.0), "a public part of 1"),
        (Asked(0.5, (0.8, 0.8, 0.8), (0.8,)), "3 values for 2 files"),
        (Asked(0.5, (0.8,), ()), "0 values for 2 files"),
        (Asked(0.5, (85.0,), (0.8,)), "give numbers from 0 to 1"),
        (Asked(0.5, tumoral_share=1.2), "--tumoral-share"),
        (Asked(0.5, (0.8,), (0.8,), patients=0), "--oof-patients"),
    ],
)
def test_what_does_not_fit_the_files_is_refused(pair, asked, finding):
    with pytest.raises(CompareError, match=finding):
        compare(pair, asked)


def test_a_ledger_that_is_named_must_be_there_and_whole(pair, tmp_path):
    with pytest.raises(UnknownLedgerError, match=r"gone\.csv"):
        compare(pair, Asked(0.5, ledger=tmp_path / "gone.csv"))
    (tmp_path / "broken.csv").write_text("file,sha256\n")
    with pytest.raises(LedgerError, match="lacks"):
        compare(pair, Asked(0.5, ledger=tmp_path / "broken.csv"))


def with_boards(folder: Path, public: tuple[str, str]) -> Comparison:
    files = [submission(folder / "a.csv"), submission(folder / "b.csv", {3, 20, 40})]
    for file, score in zip(files, public, strict=True):
        entered(file, boards=(score, ""))
    return compare(files, HALF)


def board(labels, truth) -> float:
    return float(np.mean([np.mean(labels[truth == which] == which) for which in (0, 1)]))


@pytest.fixture
def scores(pair) -> tuple[str, str]:
    """Public scores that one truth gives the pair: B errs on two of the three, in public."""
    a, b = (read_submission(path).labels for path in pair)
    truth = a.copy()
    truth[[0, 7, 35, 40]] ^= 1
    public = [i for i in range(N) if i % 2 == 0 or i == 3][:21]
    return f"{board(a[public], truth[public]):.5f}", f"{board(b[public], truth[public]):.5f}"


def test_the_public_board_informs_the_private_part(tmp_path, pair, scores):
    (tmp_path / "known").mkdir()
    before, found = compare(pair, HALF), with_boards(tmp_path / "known", scores)
    assert found.after_public
    assert not before.after_public
    assert found.pairs[0].leads["all"] is not before.pairs[0].leads["all"]
    for one in (found.pairs[0].leads["private"], found.entrants[0].expected["private"]):
        assert isinstance(one, Distribution)
        assert one.chances.sum() == pytest.approx(1)
    prior, posterior = (one.pairs[0].leads["private"] for one in (before, found))
    assert not math.isclose(prior.above, posterior.above, abs_tol=1e-3)


def test_scores_that_cannot_be_are_left_out_and_said(tmp_path):
    found = with_boards(tmp_path, ("0.85714", "0.01234"))
    assert not found.after_public
    assert "no labels of 21 patients give B the public score 0.01234" in found.notes[-1]


def test_one_boards_score_alone_is_not_reckoned_with(tmp_path):
    found = with_boards(tmp_path, ("0.85714", ""))
    assert not found.after_public
    assert "once every file has one" in found.notes[-1]


def test_the_public_part_leaves_both_boards_a_patient():
    assert public_size(42, 0.3) == 13
    with pytest.raises(CompareError, match="give --public"):
        public_size(42, 0.001)


def test_files_beyond_z_have_names_too():
    assert [letter(i) for i in (0, 25, 26, 53)] == ["A", "Z", "A2", "B3"]
