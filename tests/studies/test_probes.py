"""One matrix of weights is the probe of a fold; shuffles are one product with it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from lymphokit.errors import LymphokitError
from lymphokit.studies.probes import ProbeSettings, ProbeTarget, column_aucs, probe

SETTINGS = ProbeSettings(ridge=0.1, neighbours=5)


def target_of(labels: np.ndarray, *, k: int = 4, repeats: int = 1, seed: int = 0) -> ProbeTarget:
    names = [f"P{i}" for i in range(len(labels))]
    folds = []
    for repeat in range(repeats):
        splits = StratifiedKFold(k, shuffle=True, random_state=seed + repeat).split(labels, labels)
        for fold, (_, held_out) in enumerate(splits):
            rows = pd.DataFrame({"patient": names, "part": "train"})
            rows.loc[held_out, "part"] = "validation"
            folds.append(rows.assign(fold=1 + repeat * k + fold, repeat=repeat + 1))
    return ProbeTarget.from_folds(pd.Series(labels, index=names), pd.concat(folds))


def drawn(seed: int, n: int = 60, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.permutation(np.arange(n) % 3 > 0).astype(np.int64), rng.normal(size=(n, d))


def test_a_trend_is_sklearns_ridge_regression_on_standardised_columns() -> None:
    labels, columns = drawn(0)
    target = target_of(labels)
    result = probe(target, columns, "trend", SETTINGS, target.shuffled(0, 0))
    for fold in np.unique(target.held_out):
        predicted = target.held_out[0] == fold
        scaler = StandardScaler().fit(columns[~predicted])
        ridge = Ridge(alpha=0.1 * (~predicted).sum())
        ridge.fit(scaler.transform(columns[~predicted]), labels[~predicted])
        expected = ridge.predict(scaler.transform(columns[predicted])) - ridge.intercept_
        np.testing.assert_allclose(result.scores[0, predicted], expected, atol=1e-9)


def test_neighbours_are_sklearns() -> None:
    labels, columns = drawn(1)
    target = target_of(labels)
    result = probe(target, columns, "neighbours", SETTINGS, target.shuffled(0, 0))
    predicted = target.held_out[0] == 1
    oracle = KNeighborsRegressor(5).fit(columns[~predicted], labels[~predicted])
    np.testing.assert_allclose(result.scores[0, predicted], oracle.predict(columns[predicted]))


def test_a_shuffle_is_fitted_and_predicted_like_the_labels() -> None:
    labels, columns = drawn(2)
    target = target_of(labels, repeats=2)
    shuffled = target.shuffled(3, seed=1)
    null_aucs = probe(target, columns, "trend", SETTINGS, shuffled).null_aucs
    for column, reached in zip(shuffled.T, null_aucs, strict=True):
        again = ProbeTarget(target.patients, column, target.held_out)
        scores = probe(again, columns, "trend", SETTINGS, shuffled[:, :0]).scores
        expected = np.mean([roc_auc_score(column, each) for each in scores])
        assert reached == pytest.approx(expected, abs=1e-12)


def test_shuffles_keep_the_share_of_labels_in_every_fold() -> None:
    labels, _ = drawn(3)
    target = target_of(labels)
    shuffled = target.shuffled(20, seed=0)
    assert (shuffled != labels[:, None]).any(axis=0).all()
    for fold in np.unique(target.held_out):
        members = target.held_out[0] == fold
        assert set(shuffled[members].sum(axis=0)) == {labels[members].sum()}


def test_equal_patients_have_equal_scores() -> None:
    labels, columns = drawn(4)
    target = target_of(labels)
    gender = (columns[:, :1] + labels[:, None] > 0.5).astype(float)
    scores = probe(target, gender, "trend", SETTINGS, target.shuffled(0, 0)).scores[0]
    for fold in np.unique(target.held_out):
        assert len(np.unique(scores[target.held_out[0] == fold])) == 2


def test_only_patients_held_out_are_predicted() -> None:
    labels, columns = drawn(5)
    whole = target_of(labels)
    split = ProbeTarget(whole.patients, labels, np.where(whole.held_out == 1, 1, -1))
    result = probe(split, columns, "trend", SETTINGS, split.shuffled(5, 0))
    np.testing.assert_array_equal(np.isfinite(result.scores), split.scored)
    assert np.isfinite(result.null_aucs).all()


def test_column_aucs_are_sklearns_with_ties_as_half() -> None:
    rng = np.random.default_rng(6)
    labels, scores = rng.integers(2, size=(40, 5)), rng.integers(4, size=(40, 5)).astype(float)
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in range(5)]
    np.testing.assert_allclose(column_aucs(labels, scores), expected)


def test_p_values_of_noise_are_uniform() -> None:
    small = 0
    for seed in range(100):
        labels, columns = drawn(seed, n=30)
        target = target_of(labels, seed=seed)
        result = probe(target, columns, "trend", SETTINGS, target.shuffled(99, seed))
        small += result.p_value(roc_auc_score(labels, result.scores[0])) <= 0.1
    assert 1 <= small <= 19  # 10 expected; binomial, three deviations either way


def test_folds_of_other_patients_are_refused() -> None:
    folds = pd.DataFrame({"fold": [1], "repeat": [1], "patient": ["P7"], "part": ["validation"]})
    with pytest.raises(LymphokitError, match="patients"):
        ProbeTarget.from_folds(pd.Series({"P8": 1}), folds)
