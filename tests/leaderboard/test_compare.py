"""A whole comparison: inputs, assumptions, leads, and which two files to keep."""

import math
from pathlib import Path

import numpy as np
import pytest

from lymphokit.leaderboard.compare import Comparison, compare, lead_bounds
from lymphokit.leaderboard.distributions import Distribution
from lymphokit.leaderboard.records import (
    CompareError,
    Options,
    UnknownLedgerError,
    letter,
    look_up,
    public_size,
)
from lymphokit.provenance import file_sha256
from lymphokit.submission.ledger import Entry, LedgerError, append
from lymphokit.submission.read import read_submission

N, TUMORAL = 42, 29
HALF = Options(public=0.5)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run away from the ledger of a used checkout."""
    monkeypatch.chdir(tmp_path)


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
    one = found.pairs[0]
    assert (one.only_a, one.only_b, one.n_different) == (2, 1, 3)
    assert [found.patients[i] for i in found.contested] == ["P3", "P20", "P40"]
    assert found.n_public == 21
    assert found.tumoral_share == pytest.approx(TUMORAL / N, abs=1e-5)
    assert abs(one.leads["all"].mean) < 0.01
    assert 0.2 < one.leads["all"].p_positive < 0.8
    assert found.notes[-1].kind == "share_from_ledger"
    assert found.notes[-1].values["share"] == pytest.approx(TUMORAL / N, abs=1e-5)


def test_the_bounds_of_a_lead_are_those_by_hand():
    ahead, behind = lead_bounds(2, 1, n_tumoral=29, n_reactive=13)
    assert ahead == pytest.approx((2 / 29 + 1 / 13) / 2)
    assert behind == pytest.approx(-(1 / 29 + 2 / 13) / 2)


def test_no_lead_of_random_labels_is_outside_the_bounds(pair):
    found = compare(pair, HALF).pairs[0]
    largest, smallest = lead_bounds(found.only_a, found.only_b, TUMORAL, N - TUMORAL)
    a, b = (read_submission(path).labels for path in pair)
    rng = np.random.default_rng(0)
    for _ in range(300):
        truth = rng.permutation(np.arange(N) < TUMORAL)
        lead = sum(
            np.mean((a == truth)[truth == which]) - np.mean((b == truth)[truth == which])
            for which in (False, True)
        )
        assert smallest - 1e-9 <= lead / 2 <= largest + 1e-9


def test_a_file_that_is_better_out_of_fold_is_likelier_ahead_and_kept_first(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", set(range(0, 40, 4)))]
    entered(files[0], 0.93, 0.93)
    entered(files[1], 0.75, 0.75)
    found = compare(files, HALF)
    assert found.pairs[0].leads["all"].p_positive > 0.95
    assert found.advice is not None
    assert (found.advice.first, found.advice.second) == (0, 1)
    turned = compare(files[::-1], HALF)
    assert turned.pairs[0].leads["all"].p_negative == pytest.approx(
        found.pairs[0].leads["all"].p_positive
    )
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
    """The maximum of two scores is the first plus the lead of the second, where positive."""
    found = compare(pair, HALF)
    assert found.advice is not None
    lead = found.pairs[0].leads["private"]
    sign = 1 if found.advice.second == 0 else -1
    draws = np.random.default_rng(1).choice(lead.values, p=lead.probabilities, size=40000)
    assert found.advice.gain == pytest.approx(np.maximum(sign * draws, 0).mean(), abs=1e-3)


def test_the_same_file_twice_is_level_for_certain(pair):
    found = compare([pair[0], pair[0]], HALF)
    assert len(found.contested) == 0
    assert found.pairs[0].leads["private"].p_zero == 1.0
    assert found.advice is not None
    assert found.advice.gain == 0.0


def test_without_figures_the_files_are_equally_good_and_there_is_no_advice(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    found = compare(files, HALF)
    assert found.advice is None
    assert found.candidates[0].scores == {}
    assert found.tumoral_share == pytest.approx((29 + 28) / 84)
    assert abs(found.pairs[0].leads["all"].mean) < 0.01
    assert found.notes[0].kind == "no_figures_at_all"


def test_a_file_without_a_score_is_as_good_as_the_others_and_a_note_names_it(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    entered(files[0])
    found = compare(files, HALF)
    assert found.candidates[1].figures is None
    assert ("no_figures", {"files": ["B"]}) in found.notes
    means = [one.scores["all"].mean for one in found.candidates]
    assert means[0] == pytest.approx(means[1], abs=0.01)


def test_a_changed_and_a_renamed_file_are_not_those_of_the_ledger(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    renamed = tmp_path / "renamed.csv"
    renamed.write_bytes(file.read_bytes())
    submission(file, {1})
    table, notes = look_up([read_submission(path) for path in (file, renamed)], None)
    assert table.isna().all(axis=None)
    assert [note.kind for note in notes] == ["changed", "renamed"]
    assert notes[1].values["other"] == "a.csv"


def test_options_take_precedence_over_the_ledger(pair):
    options = Options(
        0.5, recall=(0.9, 0.7), specificity=(0.8,), effective_size=121, tumoral_share=0.6
    )
    found = compare(pair, options)
    figures = [one.figures for one in found.candidates]
    assert [(one.recall, one.specificity, one.effective_size) for one in figures if one] == [
        (0.9, 0.8, 121),
        (0.7, 0.8, 121),
    ]
    assert found.tumoral_share == 0.6


def test_a_larger_sample_narrows_the_interval_down_to_that_of_exact_figures(pair):
    def width(patients: float) -> float:
        options = Options(0.5, recall=(0.85,), specificity=(0.85,), effective_size=patients)
        low, high = compare(pair, options).candidates[0].scores["all"].interval(0.95)
        return high - low

    one = compare(pair, Options(0.5, (0.85,), (0.85,), effective_size=1e6)).candidates[0]
    assert width(20) > width(120) >= width(1e6)
    assert one.scores["all"].interval(0.95) == one.scores_if_exact["all"].interval(0.95)


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        (Options(0.0), "--public"),
        (Options(1.0), "--public"),
        (Options(0.5, (0.8, 0.8, 0.8), (0.8,)), "3 values for 2 files"),
        (Options(0.5, (0.8,), ()), "0 values for 2 files"),
    ],
)
def test_options_that_do_not_match_the_files_are_refused(pair, options, finding):
    with pytest.raises(CompareError, match=finding):
        compare(pair, options)


def test_a_ledger_without_effective_sample_size_is_noted_and_the_test_size_used(pair, tmp_path):
    ledger = tmp_path / "ledger.csv"
    ledger.write_text(ledger.read_text().replace("60.000000", ""))
    found = compare(pair, HALF)
    assert ("no_effective_size", {"files": ["A", "B"], "n": N}) in found.notes
    assert [one.figures.effective_size for one in found.candidates if one.figures] == [N, N]


def test_a_missing_and_a_damaged_ledger_are_refused(pair, tmp_path):
    with pytest.raises(UnknownLedgerError, match=r"gone\.csv"):
        compare(pair, Options(0.5, ledger=tmp_path / "gone.csv"))
    (tmp_path / "broken.csv").write_text("file,sha256\n")
    with pytest.raises(LedgerError, match="lacks"):
        compare(pair, Options(0.5, ledger=tmp_path / "broken.csv"))


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
    assert found.pairs[0].leads["all"] is not before.pairs[0].leads["all"]
    for one in (found.pairs[0].leads["private"], found.candidates[0].scores["private"]):
        assert isinstance(one, Distribution)
        assert one.probabilities.sum() == pytest.approx(1)
    prior, posterior = (one.pairs[0].leads["private"] for one in (before, found))
    assert not math.isclose(prior.p_positive, posterior.p_positive, abs_tol=1e-3)


def test_impossible_scores_are_ignored_and_noted(tmp_path):
    found = with_boards(tmp_path, ("0.85714", "0.01234"))
    assert not found.given_public
    assert found.notes[-1] == ("public_impossible", {"scores": (0.01234,), "n": 21})


def test_a_single_public_score_is_ignored_and_noted(tmp_path):
    found = with_boards(tmp_path, ("0.85714", ""))
    assert not found.given_public
    assert found.notes[-1].kind == "public_incomplete"


def test_each_board_has_at_least_one_patient():
    assert public_size(42, 0.3) == 13
    with pytest.raises(CompareError, match="--public"):
        public_size(42, 0.001)


def test_files_after_z_have_names():
    assert [letter(i) for i in (0, 25, 26, 53)] == ["A", "Z", "A2", "B3"]
