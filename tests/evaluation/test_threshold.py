import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import balanced_accuracy_score

from lymphokit.errors import ConfigError
from lymphokit.evaluation import threshold

LABELS = np.array([0, 0, 1, 0, 1, 1])
PROBABILITIES = np.array([0.1, 0.3, 0.4, 0.6, 0.8, 0.9])


def test_prevalence_is_the_tumoral_share_of_the_training_part():
    assert threshold.choose("prevalence", np.array([1, 1, 1, 0]), np.zeros(4)) == 0.75


def test_prevalence_is_the_best_cut_of_calibrated_probabilities():
    generator = np.random.default_rng(0)
    probabilities = generator.beta(3, 1.4, size=200_000)
    labels = (generator.random(200_000) < probabilities).astype(np.int64)
    cut = threshold.choose("prevalence", labels, probabilities)
    at = {
        shift: balanced_accuracy_score(labels, probabilities >= cut + shift)
        for shift in (-0.1, -0.03, 0.0, 0.03, 0.1)
    }
    assert max(at, key=at.get) == 0.0


def test_the_best_plateau_by_hand():
    # Cuts: 0.3 to 0.4 recalls 3/3 and clears 2/3; 0.6 to 0.8 recalls 2/3 and clears 3/3. The
    # second is wider.
    assert threshold.choose("balanced_accuracy", LABELS, PROBABILITIES) == pytest.approx(0.7)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 8)), min_size=2, max_size=30).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_no_threshold_beats_the_best_plateau(rows):
    labels, eighths = np.array(rows).T
    probabilities = eighths / 8
    cut = threshold.choose("balanced_accuracy", labels, probabilities)
    found = balanced_accuracy_score(labels, probabilities >= cut)
    cuts = [0.0, *np.arange(1, 17, 2) / 16]
    every = [balanced_accuracy_score(labels, probabilities >= t) for t in cuts]
    assert found == pytest.approx(max(every))


def test_the_middle_of_two_neighbouring_floats_still_separates_them():
    low = 0.3
    probabilities = np.array([low, np.nextafter(low, 1)])
    cut = threshold.choose("balanced_accuracy", np.array([0, 1]), probabilities)
    assert threshold.decide(probabilities, cut).tolist() == [0, 1]


def test_the_midpoint_by_hand():
    labels, probabilities = np.array([0, 1, 1]), expit(np.array([-1.0, 1.0, 0.5]))
    cut = threshold.choose("midpoint", labels, probabilities)
    assert logit(cut) == pytest.approx((-1.0 + 0.75) / 2)


def test_the_midpoint_follows_a_model_that_leans_to_one_side():
    odds = np.random.default_rng(0).normal(2 * LABELS, 1)
    straight = threshold.choose("midpoint", LABELS, expit(odds))
    leaning = threshold.choose("midpoint", LABELS, expit(odds - 1.0))
    kept = threshold.decide(expit(odds), straight)
    assert threshold.decide(expit(odds - 1.0), leaning).tolist() == kept.tolist()


def test_one_certain_prediction_does_not_move_the_midpoint_without_bound():
    probabilities = PROBABILITIES.copy()
    probabilities[0] = 0.0
    assert 0.1 < threshold.choose("midpoint", LABELS, probabilities) < 0.6


@pytest.mark.parametrize(("rule", "cut"), [("half", 0.5), (0.5, 0.5), (0.3, 0.3), (1, 1.0)])
def test_fixed_thresholds_do_not_look_at_predictions(rule, cut):
    assert threshold.choose(rule, LABELS, PROBABILITIES) == cut
    assert threshold.choose(rule, LABELS, 1 - PROBABILITIES) == cut


@pytest.mark.parametrize("rule", ["balanced", 1.5, -0.1])
def test_an_unknown_rule_is_refused(rule):
    with pytest.raises(ConfigError, match=r"decision\.threshold"):
        threshold.choose(rule, LABELS, PROBABILITIES)


@pytest.mark.parametrize("rule", sorted(threshold.RULES))
def test_nothing_is_chosen_on_one_class(rule):
    with pytest.raises(threshold.OneClassError, match="label 1"):
        threshold.choose(rule, np.ones(3, dtype=np.int64), PROBABILITIES[:3])


def test_a_probability_at_the_threshold_is_tumoral():
    assert threshold.decide(np.array([0.69, 0.6899]), 0.69).tolist() == [1, 0]


def test_the_threshold_for_a_wanted_sensitivity_by_hand():
    # Of 9 tumoral patients (9 + 1) x 0.2 = 2 may lie below the next: the second lowest is it.
    labels, probabilities = np.repeat([1, 0], [9, 5]), np.linspace(0.9, 0.1, 14)
    cut = threshold.choose({"sensitivity": 0.8}, labels, probabilities)
    assert cut == probabilities[7]
    assert threshold.decide(probabilities[:9], cut).sum() == 8


def test_a_new_tumoral_patient_is_called_with_at_least_the_wanted_sensitivity():
    generator = np.random.default_rng(0)
    called = []
    for _ in range(4000):
        tumoral, new = generator.random(30), generator.random()
        probabilities = np.append(tumoral, 0.5)
        cut = threshold.choose({"sensitivity": 0.9}, np.repeat([1, 0], [30, 1]), probabilities)
        called.append(new >= cut)
    # k = 3 of 31, so 28 / 31 = 0.903; the best cut on the 30 themselves would give 27 / 31.
    assert np.mean(called) == pytest.approx(28 / 31, abs=0.012)


def test_where_no_threshold_can_promise_the_sensitivity_everybody_is_called():
    labels, probabilities = np.repeat([1, 0], [18, 5]), np.linspace(0.9, 0.1, 23)
    assert threshold.choose({"sensitivity": 0.95}, labels, probabilities) == 0.0
    more = np.repeat([1, 0], [19, 4])
    assert threshold.choose({"sensitivity": 0.95}, more, probabilities) == probabilities[18]


@pytest.mark.parametrize("rule", [{"sensitivity": 1.0}, {"specificity": 0.9}, {}])
def test_a_wish_that_is_no_rule_is_refused(rule):
    with pytest.raises(ConfigError, match=r"sensitivity: 0\.95"):
        threshold.choose(rule, LABELS, PROBABILITIES)
