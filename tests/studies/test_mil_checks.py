"""The checks fail a learner that uses absence and pass one that cannot."""

import io
from abc import ABC, abstractmethod
from typing import Self

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from rich.console import Console
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lymphokit.bags.contract import AnyModel
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.bags.segments import segment_max, segment_mean
from lymphokit.evaluation.metrics import score
from lymphokit.studies.mil_checks import (
    PROBLEMS,
    chance_margin,
    concept_means,
    draw_bags,
    mil_checks_terminal_table,
    run_mil_checks,
    verdict_on,
)

Floats = NDArray[np.float64]
SEED = 3
MEANS = concept_means(SEED)
PLACES = {problem.__name__: place for place, problem in enumerate(PROBLEMS)}


class Learner(ABC):
    """A base that requires the same clinical attributes for all patients."""

    def fit(self, bags: Bags, labels: NDArray[np.int64], clinical: Clinical) -> Self:
        assert len(np.unique(clinical.matrix(), axis=0)) == 1
        assert len(clinical) == len(bags)
        self.learn(bags, labels)
        return self

    def predict_proba(self, bags: Bags, clinical: Clinical) -> Floats:
        assert len(np.unique(clinical.matrix(), axis=0)) == 1
        return self.rate(bags)

    @abstractmethod
    def learn(self, bags: Bags, labels: NDArray[np.int64]) -> None: ...

    @abstractmethod
    def rate(self, bags: Bags) -> Floats: ...


class MeanLogistic(Learner):
    """Logistic regression on the mean cell: absence counts as much as presence."""

    def learn(self, bags: Bags, labels: NDArray[np.int64]) -> None:
        self.regression = LogisticRegression().fit(self.means(bags), labels)

    def rate(self, bags: Bags) -> Floats:
        return self.regression.predict_proba(self.means(bags))[:, 1]

    def means(self, bags: Bags) -> Floats:
        return segment_mean(bags.instances, bags.offsets)


class Oracle(Learner):
    """Knows the concepts, learns which of them every positive bag holds, and looks for those."""

    def learn(self, bags: Bags, labels: NDArray[np.int64]) -> None:
        self.needed = (self.closeness(bags)[labels == 1] > 0.0).all(axis=0)

    def rate(self, bags: Bags) -> Floats:
        return expit(self.closeness(bags)[:, self.needed].min(axis=1))

    def closeness(self, bags: Bags) -> Floats:
        """How far beyond a quarter of the way to A and to B each bag's furthest cell is."""
        concepts = np.column_stack([MEANS["a"], MEANS["b"]])
        along = bags.instances @ concepts / 36.0 - 0.25
        return segment_max(along, bags.offsets)


class Guess(Learner):
    """Learns nothing."""

    def learn(self, bags: Bags, labels: NDArray[np.int64]) -> None:
        assert len(bags) == len(labels)

    def rate(self, bags: Bags) -> Floats:
        return np.full(len(bags), 0.5)


def results_of(model: type[Learner]) -> pd.DataFrame:
    def make(seed: int) -> AnyModel:
        assert seed >= 0
        return model()

    return run_mil_checks(make, seed=SEED, n_train=200, n_test=200)


def counts(problem: str, *, testing: bool) -> tuple[pd.DataFrame, NDArray[np.int64], Bags]:
    """How many cells of each kind lie near its mean, a row a bag."""
    bags, labels = draw_bags(PLACES[problem], 300, seed=SEED, testing=testing)
    lengths = {kind: np.linalg.norm(mean) for kind, mean in MEANS.items()}
    near = {kind: bags.instances @ mean / lengths[kind] ** 2 > 0.6 for kind, mean in MEANS.items()}
    table = pd.DataFrame(near).groupby(bags.bag_of).sum()
    return table, labels, bags


def test_a_mean_that_weighs_absence_fails_all_three() -> None:
    results = results_of(MeanLogistic)
    assert results["verdict"].tolist() == ["failed"] * 3
    assert (results["train_auc"] > 0.95).all()
    assert (results["test_auc"] < 0.2).all()


def test_a_model_of_the_concepts_passes_all_three() -> None:
    results = results_of(Oracle)
    assert results["check"].tolist() == ["single_concept", "multi_concept", "false_frequency"]
    assert set(results["verdict"]) == {"passed"}
    assert (results["test_auc"] > 0.9).all()


def test_a_model_that_learned_nothing_neither_passes_nor_fails() -> None:
    assert set(results_of(Guess)["verdict"]) == {"undecided"}


def test_poison_is_with_the_other_label_in_training_and_with_the_positives_in_testing() -> None:
    for problem in ("single_concept", "multi_concept"):
        for testing in (False, True):
            table, labels, _ = counts(problem, testing=testing)
            poisoned = labels == int(testing)
            assert (table["poison"] > 0).to_numpy().tolist() == poisoned.tolist()
            assert set(table.loc[poisoned, "poison"]) == {1, 2, 3, 4}


def test_false_frequency_poisons_all_bags_and_one_label_more() -> None:
    for testing in (False, True):
        table, labels, _ = counts("false_frequency", testing=testing)
        often = labels == int(testing)
        assert set(table.loc[~often, "poison"]) == {1}
        assert set(table.loc[often, "poison"]) == {4, 5, 6}


@pytest.mark.parametrize("testing", [False, True])
def test_neither_concept_nor_their_number_alone_solves_the_multi_concept_check(
    testing: bool,
) -> None:
    bags, labels = draw_bags(PLACES["multi_concept"], 2000, seed=SEED, testing=testing)
    oracle = Oracle()
    holds = oracle.closeness(bags) > 0.25
    assert roc_auc_score(labels, holds.all(axis=1)) > 0.95
    assert roc_auc_score(labels, holds.any(axis=1)) < 0.6
    table, labels, _ = counts("multi_concept", testing=testing)
    number = table["a"] + table["b"]
    assert number[labels == 1].mean() == pytest.approx(number[labels == 0].mean(), abs=0.2)


def test_a_negative_bag_of_the_multi_concept_check_holds_either_concept_alone() -> None:
    table, labels, _ = counts("multi_concept", testing=False)
    negative = table[labels == 0]
    # Once in thousands of cells, background strays to where a concept is.
    assert ((negative["a"] > 0) & (negative["b"] > 0)).mean() < 0.02
    assert (negative["a"] > 0).mean() == pytest.approx(0.5, abs=0.1)
    assert (negative["b"] > 0).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("problem", PLACES)
def test_background_does_not_depend_on_the_label(problem: str) -> None:
    for testing in (False, True):
        table, labels, bags = counts(problem, testing=testing)
        background = bags.sizes - table.sum(axis=1).to_numpy()
        means = [background[labels == label].mean() for label in (0, 1)]
        assert means == pytest.approx([7.0, 7.0], abs=0.5)


@pytest.mark.parametrize("problem", PLACES)
def test_no_model_that_only_adds_is_misled(problem: str) -> None:
    """Whatever direction it looks into, a maximum ranks test bags as well as training bags."""
    training, labels = draw_bags(PLACES[problem], 1000, seed=SEED, testing=False)
    test, test_labels = draw_bags(PLACES[problem], 1000, seed=SEED, testing=True)
    directions = np.random.default_rng(0).normal(size=(16, 40))
    for_training = segment_max(training.instances @ directions, training.offsets)
    for_test = segment_max(test.instances @ directions, test.offsets)
    gains = [
        roc_auc_score(test_labels, tested) - roc_auc_score(labels, trained)
        for tested, trained in zip(for_test.T, for_training.T, strict=True)
    ]
    assert min(gains) > -0.06
    assert max(gains) > 0.5


def test_each_problem_gets_a_new_model_with_another_seed() -> None:
    made: dict[int, Guess] = {}
    run_mil_checks(lambda seed: made.setdefault(seed, Guess()), seed=SEED, n_train=20, n_test=20)
    assert len(made) == 3


def test_the_same_seed_gives_the_same_bags_and_another_seed_others() -> None:
    first, second = (draw_bags(0, 20, seed=SEED, testing=True) for _ in range(2))
    np.testing.assert_array_equal(first[0].instances, second[0].instances)
    np.testing.assert_array_equal(first[1], second[1])
    other = draw_bags(0, 20, seed=4, testing=True)
    assert first[0].sizes.tolist() != other[0].sizes.tolist()


def test_random_ranks_are_as_wide_as_the_standard_error_says() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(60) < 15).astype(np.int64)
    aucs = [score("auc", labels, labels, rng.random(60)) for _ in range(2000)]
    assert chance_margin(labels) == pytest.approx(3 * np.std(aucs), rel=0.06)


@pytest.mark.parametrize(
    ("train_auc", "test_auc", "verdict"),
    [
        (1.0, 0.7, "passed"),
        (1.0, 0.3, "failed"),
        (1.0, 0.5, "undecided"),
        (0.55, 0.3, "undecided"),
        (0.5, 0.55, "undecided"),
    ],
)
def test_a_verdict_needs_aucs_that_differ_from_chance(
    train_auc: float, test_auc: float, verdict: str
) -> None:
    assert verdict_on(train_auc, test_auc, 0.1, 0.1) == verdict


def test_the_terminal_table_has_a_row_for_each_model_in_the_given_order() -> None:
    checks = pd.DataFrame(
        {
            "model": ["pooled", "pooled", "mi_svm", "mi_svm"],
            "check": ["single_concept", "multi_concept"] * 2,
            "train_auc": [1.0, 0.9, 1.0, 0.7],
            "test_auc": [0.1, 0.2, 0.98, 0.5],
            "verdict": ["failed", "failed", "passed", "undecided"],
        }
    )
    console = Console(width=100, file=io.StringIO())
    console.print(mil_checks_terminal_table(checks))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert "single concept" in printed
    (pooled,) = [line for line in printed.splitlines() if "pooled" in line]
    (mi_svm,) = [line for line in printed.splitlines() if "mi_svm" in line]
    assert printed.index("pooled") < printed.index("mi_svm")
    assert pooled.split()[3:8] == ["failed", "1.00", ">", "0.10", "│"]
    assert "passed    1.00 > 0.98" in mi_svm
    assert "undecided 0.70 > 0.50" in mi_svm
