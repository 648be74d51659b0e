"""The exact head of a frozen backbone, against other solvers."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from lymphokit.pseudo_labels.head_learner import HeadLearner, fit_head
from lymphokit.pseudo_labels.learner import LabelledSplit


def cells(n: int, d: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.int64)
    features = rng.normal(size=(n, d)) + 0.7 * labels[:, None] * (np.arange(d) < 3)
    return (50 + 10 * features).astype(np.float32), labels


@pytest.mark.parametrize(("n", "d"), [(60, 8), (40, 200)])
def test_the_head_is_the_optimum_that_scikit_learn_approaches(n: int, d: int) -> None:
    features, labels = cells(n, d)
    ridge = 0.05
    head = fit_head(features, labels, ridge)
    scaled = StandardScaler().fit_transform(features.astype(np.float64))
    oracle = LogisticRegression(C=1 / (ridge * n), tol=1e-12, max_iter=100_000).fit(scaled, labels)
    np.testing.assert_allclose(
        head.log_odds(features), oracle.decision_function(scaled), atol=1e-4, rtol=1e-4
    )


def test_long_stochastic_gradient_training_of_a_log_softmax_layer_tends_to_the_same_head() -> None:
    features, labels = cells(50, 5)
    ridge = 0.1
    scaled = torch.tensor(StandardScaler().fit_transform(features), dtype=torch.float64)
    torch.manual_seed(0)
    layer = nn.Linear(5, 2, dtype=torch.float64)
    # Two outputs share the weights w/2 and -w/2, so decay of 2 ridge on them is ridge on w.
    groups = [{"params": layer.weight, "weight_decay": 2 * ridge}, {"params": layer.bias}]
    sgd = torch.optim.SGD(groups, lr=0.2, momentum=0.9)
    target = torch.tensor(labels)
    for _ in range(3000):
        sgd.zero_grad()
        nn.functional.nll_loss(torch.log_softmax(layer(scaled), dim=1), target).backward()
        sgd.step()
    outputs = layer(scaled).detach().numpy()
    np.testing.assert_allclose(
        fit_head(features, labels, ridge).log_odds(features),
        outputs[:, 1] - outputs[:, 0],
        atol=1e-5,
    )


def test_units_of_the_features_do_not_matter() -> None:
    features, labels = cells(40, 6)
    units = np.array([1e-3, 1.0, 1e3, 1.0, 1.0, 1.0])
    first = fit_head(features, labels, 0.1).log_odds(features)
    second = fit_head(features * units + 7, labels, 0.1).log_odds(features * units + 7)
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_feature_that_never_changes_is_left_out() -> None:
    features, labels = cells(40, 6)
    features[:, 4] = 3.0
    assert fit_head(features, labels, 0.1).weights[4] == 0.0


def test_separable_cells_have_a_finite_head() -> None:
    features = np.array([[0.0], [1.0], [9.0], [10.0]])
    head = fit_head(features, np.array([0, 0, 1, 1]), 1e-4)
    assert np.isfinite(head.weights).all()
    assert (head.log_odds(features) > 0).tolist() == [False, False, True, True]


def test_one_label_alone_is_refused() -> None:
    features, _ = cells(10, 2)
    with pytest.raises(ValueError, match="both labels"):
        fit_head(features, np.ones(10, np.int64), 0.1)


def test_the_labelled_cells_held_out_are_scored_and_not_trained_on() -> None:
    features, labels = cells(80, 6)
    labelled, truth = cells(40, 6, seed=1)
    is_training = np.arange(40) < 30
    learner = HeadLearner(features, labelled, LabelledSplit(truth, is_training), 0.1)
    before = learner.fit_and_score(
        np.array([], np.int64), np.array([], np.int64), with_labelled=True, seed=0
    )
    expected = fit_head(labelled[:30], truth[:30], 0.1)
    np.testing.assert_array_equal(before.log_odds, expected.log_odds(features))
    correct = (expected.log_odds(labelled[30:]) > 0) == (truth[30:] == 1)
    assert before.labelled_accuracy == correct.mean()
    without = learner.fit_and_score(np.arange(20), labels[:20], with_labelled=False, seed=0)
    np.testing.assert_array_equal(
        without.log_odds, fit_head(features[:20], labels[:20], 0.1).log_odds(features)
    )
