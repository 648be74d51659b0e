import json

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from lymphokit.bags.packed import Clinical
from lymphokit.ensemble.blend import BlendError, Mean, Product, Stack, Vote

LABELS = np.array([1, 1, 1, 1, 0, 0])
CLINICAL = Clinical(np.linspace(50, 90, 6), np.linspace(5, 60, 6))
# Decisions at 0.5 of six models, and their balanced accuracies by hand.
RIGHT_ABOUT = {
    "a": [1, 1, 1, 1, 1, 1],  # 1
    "b": [1, 1, 1, 0, 1, 1],  # 0.875
    "c": [1, 1, 0, 0, 1, 1],  # 0.75, AUC lower than d's
    "d": [1, 1, 0, 0, 1, 1],  # 0.75
    "e": [0, 0, 0, 0, 1, 1],  # 0.5
    "f": [0, 0, 0, 0, 0, 1],  # 0.25
}


def probabilities_of(right: dict[str, list[int]]) -> np.ndarray:
    """Probabilities 0.9 or 0.1, right or wrong as listed."""
    is_right = np.array(list(right.values())).T == 1
    return np.where(is_right == (LABELS == 1)[:, None], 0.9, 0.1)


def test_the_best_five_of_six_vote_and_ties_go_to_the_higher_auc():
    probabilities = probabilities_of(RIGHT_ABOUT)
    names = list(RIGHT_ABOUT)
    probabilities[2, names.index("d")] = 0.45  # d still misses patient 2, but ranks them first
    vote = Vote(models=names, best=5, rule="half").fit(probabilities, LABELS, CLINICAL)
    chosen = vote.chosen()
    assert chosen["voters"] == ["a", "b", "d", "c", "e"]
    accuracies = [chosen["models"][name]["balanced_accuracy"] for name in names]
    assert accuracies == [1, 0.875, 0.75, 0.75, 0.5, 0.25]
    # By hand, of a, b, c, d, e: all but e for patients 0 and 1, a and b for 2, a alone for 3.
    shares = vote.predict_proba(probabilities, CLINICAL)
    np.testing.assert_allclose(shares, [0.8, 0.8, 0.4, 0.2, 0.0, 0.0])


def test_equal_models_keep_their_order():
    alike = probabilities_of({name: [1, 1, 1, 0, 1, 1] for name in "xyzw"})
    vote = Vote(models="xyzw", best=3, rule="half").fit(alike, LABELS, CLINICAL)
    assert vote.chosen()["voters"] == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("n_models", "best", "voters"),
    [(6, 5, 5), (5, 5, 5), (4, 5, 3), (3, 5, 3), (2, 5, 1), (1, 5, 1), (6, 4, 3), (6, 2, 1)],
)
def test_the_number_of_voters_is_the_largest_odd_one_available(n_models, best, voters):
    names = list(RIGHT_ABOUT)[:n_models]
    probabilities = probabilities_of(RIGHT_ABOUT)[:, :n_models]
    vote = Vote(models=names, best=best, rule="half").fit(probabilities, LABELS, CLINICAL)
    assert vote.chosen()["voters"] == names[:voters]


def test_voters_decide_at_their_thresholds():
    probabilities = np.column_stack(
        [[0.9, 0.9, 0.9, 0.9, 0.6, 0.6], [0.3, 0.3, 0.3, 0.3, 0.1, 0.1]]
    )
    vote = Vote(models=["high", "low"], best=1, rule="balanced_accuracy")
    vote.fit(probabilities, LABELS, CLINICAL)
    assert vote.thresholds_.tolist() == pytest.approx([0.75, 0.2])
    np.testing.assert_array_equal(vote.predict_proba(probabilities, CLINICAL), LABELS)


def test_the_mean_is_the_mean():
    mean = Mean(models=["a", "b"]).fit(np.zeros((2, 2)), np.array([0, 1]), CLINICAL.take([0, 1]))
    found = mean.predict_proba(np.array([[0.2, 0.4], [1.0, 0.5]]), CLINICAL.take([0, 1]))
    np.testing.assert_allclose(found, [0.3, 0.75])


def cohort(n: int = 97, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Clinical]:
    """Three informative models, labels, and informative clinical attributes."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(n) < 0.69 * n).astype(np.int64)
    odds = generator.normal((labels - 0.5)[:, None] * [1.5, 1.0, 1.0], 1.0)
    ages = 65 + 8 * labels + generator.normal(0, 10, n)
    counts = np.exp(1.8 + 0.6 * labels + generator.normal(0, 0.6, n))
    return expit(odds), labels, Clinical(ages, counts)


def stack_of(probabilities, labels, clinical, *, models="abc", image_models="abc", C=0.1):
    return Stack(models=models, image_models=image_models, C=C).fit(probabilities, labels, clinical)


def test_the_stack_is_balanced_ridge_logistic_regression_where_no_weight_is_negative():
    probabilities, labels, clinical = cohort()
    stack = stack_of(probabilities, labels, clinical)
    features = np.column_stack([logit(probabilities), clinical.matrix()])
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    oracle = LogisticRegression(C=0.1, class_weight="balanced", tol=1e-10, max_iter=10_000)
    oracle.fit(scaled, labels)
    assert (stack.weights_[:3] > 0).all()
    np.testing.assert_allclose(stack.weights_, oracle.coef_[0], atol=1e-5)
    shifted = oracle.intercept_[0] + logit(labels.mean())
    assert stack.intercept_ == pytest.approx(shifted, abs=1e-5)
    # The prevalence cut of the stack is the even odds of the balanced regression.
    calls = stack.predict_proba(probabilities, clinical) >= labels.mean()
    np.testing.assert_array_equal(calls, oracle.predict(scaled) == 1)


def test_a_model_that_is_worse_than_chance_gets_no_weight_rather_than_a_negative_one():
    probabilities, labels, clinical = cohort()
    probabilities[:, 1] = 1 - probabilities[:, 1]
    stack = stack_of(probabilities, labels, clinical)
    assert stack.weights_[1] == 0
    without = stack_of(probabilities[:, [0, 2]], labels, clinical, models="ac", image_models="ac")
    np.testing.assert_allclose(
        stack.predict_proba(probabilities, clinical),
        without.predict_proba(probabilities[:, [0, 2]], clinical),
        atol=1e-6,
    )


def test_clinical_models_stay_out_of_the_stack():
    probabilities, labels, clinical = cohort()
    stack = stack_of(probabilities, labels, clinical, image_models=["a", "c"])
    names = ["a", "c", "age_years", "log_lymphocytes_giga_per_litre"]
    assert list(stack.chosen()["weights"]) == names
    other = probabilities.copy()
    other[:, 1] = 0.5
    np.testing.assert_array_equal(
        stack.predict_proba(probabilities, clinical), stack.predict_proba(other, clinical)
    )


def test_age_and_count_stack_without_any_image_model():
    probabilities, labels, clinical = cohort()
    stack = stack_of(probabilities, labels, clinical, image_models=[])
    probable = stack.predict_proba(probabilities, clinical)
    assert probable[labels == 1].mean() > probable[labels == 0].mean()


def test_a_certain_model_cannot_dominate_the_others():
    probabilities, labels, clinical = cohort()
    stack = stack_of(probabilities, labels, clinical)
    certain = probabilities.copy()
    certain[:, 0] = 0.0
    nearly = probabilities.copy()
    nearly[:, 0] = 1 / 99
    np.testing.assert_array_equal(
        stack.predict_proba(certain, clinical), stack.predict_proba(nearly, clinical)
    )


def test_a_constant_model_changes_nothing():
    probabilities, labels, clinical = cohort()
    probabilities[:, 2] = 0.69
    found = stack_of(probabilities, labels, clinical).predict_proba(probabilities, clinical)
    without = stack_of(probabilities, labels, clinical, image_models="ab")
    np.testing.assert_allclose(found, without.predict_proba(probabilities, clinical), atol=1e-6)


def test_under_a_strong_ridge_copies_of_a_model_share_its_weight():
    probabilities, labels, clinical = cohort()
    copies = probabilities[:, [0, 0, 1]]
    weights = stack_of(copies, labels, clinical).weights_
    assert weights[0] == pytest.approx(weights[1], abs=1e-5)


def test_one_class_cannot_be_stacked():
    probabilities, labels, clinical = cohort()
    with pytest.raises(BlendError, match="one class"):
        stack_of(probabilities, np.ones_like(labels), clinical)


def test_what_was_chosen_is_plain_data():
    probabilities, labels, clinical = cohort()
    names = ["a", "b", "c"]
    for blend in (
        Vote(models=names, best=3, rule="prevalence"),
        Mean(models=names),
        Stack(models=names, image_models=names, C=0.1),
    ):
        chosen = blend.fit(probabilities, labels, clinical).chosen()
        assert json.loads(json.dumps(chosen)) == chosen


def test_the_product_adds_log_odds_and_counts_the_prevalence_once():
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0.3, 0.8, (6, 3))
    names = ["kernel", "clinical", "types"]
    product = Product(models=names, clinical="clinical").fit(probabilities, LABELS, CLINICAL)
    prior = np.log(4 / 2)
    odds = logit(probabilities)
    expected = odds[:, 1] + (odds[:, 0] + odds[:, 2]) / 2 - prior
    np.testing.assert_allclose(product.predict_proba(probabilities, CLINICAL), expit(expected))


def test_images_alone_are_the_mean_of_their_log_odds():
    probabilities = np.array([[0.2, 0.5], [0.8, 0.6]])
    images = Product(models=["a", "b"], clinical=None).fit(probabilities, LABELS, CLINICAL)
    expected = expit(logit(probabilities).mean(axis=1))
    np.testing.assert_allclose(images.predict_proba(probabilities, CLINICAL), expected)


def test_experts_that_know_nothing_leave_the_other_unchanged():
    """Images at the prevalence, then the clinical model at the prevalence."""
    known, prevalence = np.array([0.2, 0.5, 0.8]), np.full(3, 4 / 6)
    product = Product(models=["image", "clinical"], clinical="clinical")
    for columns in ([prevalence, known], [known, prevalence]):
        probabilities = np.column_stack(columns)
        found = product.fit(np.zeros((6, 2)), LABELS, CLINICAL).predict_proba(
            probabilities, CLINICAL
        )
        np.testing.assert_allclose(found, known)


def test_an_image_model_that_is_certain_cannot_overrule_everything():
    product = Product(models=["image", "clinical"], clinical="clinical")
    product.fit(np.zeros((6, 2)), LABELS, CLINICAL)
    (found,) = product.predict_proba(np.array([[1.0, 1e-3]]), CLINICAL)
    assert 0 < found < 1
    assert product.chosen()["models"] == ["image", "clinical"]
