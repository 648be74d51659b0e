"""One matrix is every fold's classifier; thousands of shuffles are one product with it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from lymphokit.errors import LymphokitError
from lymphokit.studies.probes import Learners, Question, ask, column_aucs

LEARNERS = Learners(ridge=0.1, neighbours=5)


def asked(labels: np.ndarray, *, k: int = 4, repeats: int = 1, seed: int = 0) -> Question:
    names = [f"P{i}" for i in range(len(labels))]
    folds = []
    for repeat in range(repeats):
        splits = StratifiedKFold(k, shuffle=True, random_state=seed + repeat).split(labels, labels)
        for fold, (_, held_out) in enumerate(splits):
            own = pd.DataFrame({"patient": names, "part": "train"})
            own.loc[held_out, "part"] = "validation"
            folds.append(own.assign(fold=1 + repeat * k + fold, repeat=repeat + 1))
    return Question.of(pd.Series(labels, index=names), pd.concat(folds))


def drawn(seed: int, n: int = 60, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.permutation(np.arange(n) % 3 > 0).astype(np.int64), rng.normal(size=(n, d))


def test_a_trend_is_sklearns_ridge_regression_on_standardised_columns() -> None:
    labels, columns = drawn(0)
    question = asked(labels)
    answers = ask(question, columns, "trend", LEARNERS, question.shuffled(0, 0))
    for fold in np.unique(question.held_out):
        unseen = question.held_out[0] == fold
        scaler = StandardScaler().fit(columns[~unseen])
        ridge = Ridge(alpha=0.1 * (~unseen).sum())
        ridge.fit(scaler.transform(columns[~unseen]), labels[~unseen])
        expected = ridge.predict(scaler.transform(columns[unseen])) - ridge.intercept_
        np.testing.assert_allclose(answers.scores[0, unseen], expected, atol=1e-9)


def test_neighbours_are_sklearns() -> None:
    labels, columns = drawn(1)
    question = asked(labels)
    answers = ask(question, columns, "neighbours", LEARNERS, question.shuffled(0, 0))
    unseen = question.held_out[0] == 1
    oracle = KNeighborsRegressor(5).fit(columns[~unseen], labels[~unseen])
    np.testing.assert_allclose(answers.scores[0, unseen], oracle.predict(columns[unseen]))


def test_a_shuffle_is_learned_and_predicted_as_if_it_were_the_labels() -> None:
    labels, columns = drawn(2)
    question = asked(labels, repeats=2)
    shuffled = question.shuffled(3, seed=1)
    by_chance = ask(question, columns, "trend", LEARNERS, shuffled).by_chance
    for column, reached in zip(shuffled.T, by_chance, strict=True):
        again = Question(question.patients, column, question.held_out)
        scores = ask(again, columns, "trend", LEARNERS, shuffled[:, :0]).scores
        expected = np.mean([roc_auc_score(column, own) for own in scores])
        assert reached == pytest.approx(expected, abs=1e-12)


def test_shuffles_keep_the_share_of_labels_in_every_fold() -> None:
    labels, _ = drawn(3)
    question = asked(labels)
    shuffled = question.shuffled(20, seed=0)
    assert (shuffled != labels[:, None]).any(axis=0).all()
    for fold in np.unique(question.held_out):
        members = question.held_out[0] == fold
        assert set(shuffled[members].sum(axis=0)) == {labels[members].sum()}


def test_equal_patients_are_told_equally() -> None:
    labels, columns = drawn(4)
    question = asked(labels)
    gender = (columns[:, :1] + labels[:, None] > 0.5).astype(float)
    scores = ask(question, gender, "trend", LEARNERS, question.shuffled(0, 0)).scores[0]
    for fold in np.unique(question.held_out):
        assert len(np.unique(scores[question.held_out[0] == fold])) == 2


def test_whoever_is_not_held_out_is_not_asked() -> None:
    labels, columns = drawn(5)
    whole = asked(labels)
    split = Question(whole.patients, labels, np.where(whole.held_out == 1, 1, -1))
    answers = ask(split, columns, "trend", LEARNERS, split.shuffled(5, 0))
    np.testing.assert_array_equal(np.isfinite(answers.scores), split.scored)
    assert np.isfinite(answers.by_chance).all()


def test_column_aucs_are_sklearns_with_ties_as_half() -> None:
    rng = np.random.default_rng(6)
    labels, scores = rng.integers(2, size=(40, 5)), rng.integers(4, size=(40, 5)).astype(float)
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in range(5)]
    np.testing.assert_allclose(column_aucs(labels, scores), expected)


def test_noise_gets_a_small_p_value_as_often_as_the_p_value_says() -> None:
    small = 0
    for seed in range(100):
        labels, columns = drawn(seed, n=30)
        question = asked(labels, seed=seed)
        answers = ask(question, columns, "trend", LEARNERS, question.shuffled(99, seed))
        small += answers.p_value(roc_auc_score(labels, answers.scores[0])) <= 0.1
    assert 1 <= small <= 19  # 10 expected; binomial, three deviations either way


def test_folds_of_other_patients_are_refused() -> None:
    folds = pd.DataFrame({"fold": [1], "repeat": [1], "patient": ["P7"], "part": ["validation"]})
    with pytest.raises(LymphokitError, match="other patients"):
        Question.of(pd.Series({"P8": 1}), folds)
