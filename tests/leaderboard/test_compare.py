"""A whole comparison: inputs, assumptions, leads, and which two files to keep."""

from pathlib import Path

import numpy as np
import pytest

from lymphokit.leaderboard.compare import DEFAULT, Comparison, compare, letter, public_size
from lymphokit.leaderboard.distributions import LeaderboardError
from lymphokit.provenance import file_sha256
from lymphokit.submission.csv_files import read_submission
from lymphokit.submission.ledger import Entry, LedgerError, append

N, TUMORAL = 42, 29
HALF = 0.5


def submission(path: Path, flipped=()) -> Path:
    """Write 42 patients: tumoral for the first 29, except where flipped."""
    labels = [int(i < TUMORAL) ^ (i in flipped) for i in range(N)]
    rows = [f"P{i},{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["ID,LABEL", *rows]) + "\n")
    return path


def entered(path: Path, recall=0.85, specificity=0.85, boards=("", "")) -> None:
    """Append a file to the ledger beside it, with these figures of 60 effective patients."""
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
        oof_balanced_accuracy_low=score - 0.07,
        oof_balanced_accuracy_high=min(score + 0.07, 1.0),
        oof_recall=recall,
        oof_precision=recall * share / called,
        oof_tumoral_share=share,
        oof_effective_sample_size=60.0,
        machine="a processor, no GPU",
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


def test_three_patients_are_too_few_for_a_verdict(pair):
    found = compare(pair, HALF)
    lead = found.others[0].lead
    assert [found.patients[i] for i in found.contested] == ["P3", "P20", "P40"]
    assert (found.n_public, found.n_private) == (21, 21)
    assert abs(lead.mean) < 0.01
    assert 0.2 < lead.p_positive < 0.8
    assert found.candidates[0].figures.tumoral_share == pytest.approx(TUMORAL / N, abs=1e-5)
    assert f"{TUMORAL / N:.0%}" in found.notes[0]


def test_a_file_that_is_better_out_of_fold_is_likelier_ahead_and_kept_first(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", set(range(0, 40, 4)))]
    entered(files[0], 0.93, 0.93)
    entered(files[1], 0.75, 0.75)
    found, turned = compare(files, HALF), compare(files[::-1], HALF)
    assert found.others[0].lead.p_positive > 0.9
    assert (found.best.letter, found.second.letter) == ("A", "B")
    assert (turned.best.letter, turned.second.letter) == ("B", "A")
    assert turned.others[0].lead.mean == pytest.approx(found.others[0].lead.mean)


def test_the_second_to_keep_is_the_one_that_differs(tmp_path):
    flips = {"best": set(), "alike": {5}, "other": {2, 7, 11, 16, 30, 33, 36, 39}}
    files = [submission(tmp_path / f"{name}.csv", flipped) for name, flipped in flips.items()]
    for file, score in zip(files, (0.87, 0.86, 0.85), strict=True):
        entered(file, score, score)
    found = compare(files, HALF)
    assert (found.best.letter, found.second.letter) == ("A", "C")
    assert found.second.gain > 0.02


def test_the_better_of_two_is_expected_at_its_simulated_mean(pair):
    """The maximum of two scores is the first plus the lead of the second, where positive."""
    second = compare(pair, HALF).second
    lead = second.lead
    draws = np.random.default_rng(1).choice(lead.values, p=lead.probabilities, size=40000)
    assert second.gain == pytest.approx(np.maximum(-draws, 0).mean(), abs=1e-3)


def test_the_same_file_twice_is_level_for_certain(pair):
    found = compare([pair[0], pair[0]], HALF)
    assert len(found.contested) == 0
    assert found.second.lead.p_zero == 1.0
    assert found.second.gain == 0.0


def test_without_figures_the_files_are_equally_good(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    found = compare(files, HALF)
    for one in found.candidates:
        assert (one.figures.recall, one.figures.specificity) == (DEFAULT, DEFAULT)
        assert one.figures.effective_size == N
        assert one.figures.tumoral_share == pytest.approx((29 + 28) / 84)
    assert abs(found.second.lead.mean) < 0.01
    assert [note[0] for note in found.notes[:2]] == ["A", "B"]


def test_a_file_without_a_score_is_as_good_as_the_others_or_as_its_option(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    entered(files[0], 0.9, 0.8)
    figures = [one.figures for one in compare(files, HALF).candidates]
    assert figures[0] == figures[1]
    assert figures[0].specificity == pytest.approx(0.8)
    found = compare(files, HALF, oof=0.7)
    assert [one.figures.recall for one in found.candidates] == [0.9, 0.7]
    assert [one.figures.balanced_accuracy for one in found.candidates] == pytest.approx([0.85, 0.7])
    assert found.notes[0].startswith("B")


def test_a_changed_file_is_not_that_of_the_ledger_and_a_renamed_one_is(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file, 0.9, 0.8)
    renamed = tmp_path / "renamed.csv"
    renamed.write_bytes(file.read_bytes())
    submission(file, {1})
    found = compare([file, renamed], HALF, oof=0.6)
    assert [one.figures.recall for one in found.candidates] == [0.6, 0.9]


def test_of_two_blends_with_the_same_content_the_name_decides(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv")]
    for file, recall in zip(files, (0.9, 0.7), strict=True):
        entered(file, recall)
    assert [one.figures.recall for one in compare(files, HALF).candidates] == [0.9, 0.7]


def test_a_larger_sample_narrows_the_interval(tmp_path):
    def width(patients: float) -> float:
        folder = tmp_path / str(patients)
        folder.mkdir()
        files = [submission(folder / name) for name in ("a.csv", "b.csv")]
        for file in files:
            entered(file)
        ledger = folder / "ledger.csv"
        ledger.write_text(ledger.read_text().replace("60.000000", str(patients)))
        low, high = compare(files, HALF).candidates[0].private.interval(0.95)
        return high - low

    assert width(10) > width(120) >= width(1e6)


@pytest.mark.parametrize("public", [0.0, 1.0])
def test_a_board_without_patients_is_refused(pair, public):
    with pytest.raises(LeaderboardError, match="--public"):
        compare(pair, public)


def test_a_damaged_ledger_is_refused(pair, tmp_path):
    (tmp_path / "ledger.csv").write_text("file,sha256\n")
    with pytest.raises(LedgerError, match="lacks"):
        compare(pair, HALF)


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
    assert found.given_public
    assert not before.given_public
    assert found.best.letter == "A"
    for one in (found.second.lead, found.second.private):
        assert one.probabilities.sum() == pytest.approx(1)
    assert found.candidates[0].private.mean > before.candidates[0].private.mean + 0.003
    assert found.candidates[0].public.mean == before.candidates[0].public.mean


def test_impossible_public_scores_are_refused(tmp_path):
    with pytest.raises(LeaderboardError, match=r"0\.01234.*board_public"):
        with_boards(tmp_path, ("0.85714", "0.01234"))


def test_a_single_public_score_is_ignored_and_noted(tmp_path):
    found = with_boards(tmp_path, ("0.85714", ""))
    assert not found.given_public
    assert "public scores" in found.notes[-1]


def test_each_board_has_at_least_one_patient():
    assert public_size(42, 0.3) == 13
    with pytest.raises(LeaderboardError, match="--public"):
        public_size(42, 0.001)


def test_files_after_z_have_names():
    assert [letter(i) for i in (0, 25, 26, 53)] == ["A", "Z", "A2", "B3"]
