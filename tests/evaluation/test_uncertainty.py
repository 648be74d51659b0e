import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from lymphokit.evaluation import uncertainty
from lymphokit.evaluation.uncertainty import Outcomes


def table_of(
    probabilities: np.ndarray,
    labels: np.ndarray,
    cut: float = 0.5,
    model: str = "m",
    n_fitted: float = np.inf,
) -> pd.DataFrame:
    """The long table of (n_repeats, n) probabilities of one model; NaN: not in validation.

    n_fitted: of how many patients it learned; infinite where its intervals need no widening.
    """
    tables = []
    for repeat, row in enumerate(np.atleast_2d(probabilities), start=1):
        seen = np.isfinite(row)
        tables.append(
            pd.DataFrame(
                {
                    "fold": repeat,
                    "repeat": repeat,
                    "patient": [f"P{i}" for i in np.flatnonzero(seen)],
                    "part": "validation",
                    "label": labels[seen],
                    "model": model,
                    "n_fitted": n_fitted,
                    "probability": row[seen],
                    "threshold": cut,
                    "decision": (row[seen] >= cut).astype(int),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def simulated(seed: int, n: int = 121, shift: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = (np.arange(n) < round(0.69 * n)).astype(np.int64)
    odds = generator.normal(shift * (labels - 0.5), 1)
    return 1 / (1 + np.exp(-odds)), labels


def test_draws_keep_the_number_of_patients_of_each_label():
    labels = np.array([0, 1, 1, 0, 1, 1, 1])
    draws = uncertainty.patient_draws(labels, resamples=500, seed=1)
    assert (draws[:, labels == 1].sum(axis=1) == 5).all()
    assert (draws[:, labels == 0].sum(axis=1) == 2).all()
    np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.2)
    np.testing.assert_array_equal(draws, uncertainty.patient_draws(labels, resamples=500, seed=1))


def test_repeats_are_averaged_inside_a_resample_and_are_no_more_patients():
    probabilities, labels = simulated(0)
    once = Outcomes.from_decisions(table_of(probabilities, labels), ["m"])
    thrice = Outcomes.from_decisions(table_of(np.tile(probabilities, (3, 1)), labels), ["m"])
    draws = uncertainty.patient_draws(labels, resamples=300, seed=2)
    for metric in ("balanced_accuracy", "auc"):
        one = uncertainty.interval(once, "m", metric, draws, 0.95)
        three = uncertainty.interval(thrice, "m", metric, draws, 0.95)
        assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=1e-12)
        assert three.estimate == pytest.approx(one.estimate, abs=1e-12)


def test_the_score_over_repeats_is_the_mean_of_the_repeats_scores():
    (first, labels), (second, _) = simulated(1), simulated(2)
    outcomes = Outcomes.from_decisions(table_of(np.array([first, second]), labels), ["m"])
    # Natural order of patients is their order here, so labels and columns line up.
    expected = np.mean([balanced_accuracy_score(labels, p >= 0.5) for p in (first, second)])
    assert outcomes.score("m", "balanced_accuracy") == pytest.approx(expected)
    expected = np.mean([roc_auc_score(labels, p) for p in (first, second)])
    assert outcomes.score("m", "auc") == pytest.approx(expected)


def test_under_split_only_the_patients_in_validation_count():
    probabilities, labels = simulated(3)
    held_out = np.arange(len(labels)) % 4 == 0
    outcomes = Outcomes.from_decisions(
        table_of(np.where(held_out, probabilities, np.nan), labels), ["m"]
    )
    assert len(outcomes.patients) == held_out.sum()
    expected = roc_auc_score(labels[held_out], probabilities[held_out])
    assert outcomes.score("m", "auc") == pytest.approx(expected)


def test_a_repeat_without_both_classes_in_a_resample_does_not_spoil_it():
    probabilities = np.array([[0.9, 0.1, np.nan, np.nan], [np.nan, np.nan, 0.2, 0.8]])
    labels = np.array([1, 0, 1, 0])
    outcomes = Outcomes.from_decisions(table_of(probabilities, labels), ["m"])
    draws = np.array([[2.0, 2.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [2.0, 0.0, 0.0, 2.0]])
    found = outcomes.resampled("m", "balanced_accuracy", draws)
    np.testing.assert_array_equal(found, [1.0, 0.5, np.nan])
    alone = uncertainty.interval(outcomes, "m", "balanced_accuracy", draws[2:], 0.95)
    assert np.isnan([alone.low, alone.high]).all()
    most = uncertainty.interval(outcomes, "m", "balanced_accuracy", draws, 0.95)
    assert (most.low, most.high) == pytest.approx((0.5125, 0.9875))


def test_a_model_never_differs_from_itself_though_each_interval_is_wide():
    probabilities, labels = simulated(4)
    both = pd.concat(
        [table_of(probabilities, labels, model="a"), table_of(probabilities, labels, model="b")]
    )
    outcomes = Outcomes.from_decisions(both, ["a", "b"])
    draws = uncertainty.patient_draws(labels, resamples=200, seed=0)
    none = uncertainty.difference(outcomes, "a", "b", "auc", draws, 0.95)
    assert (none.estimate, none.low, none.high) == (0, 0, 0)
    alone = uncertainty.interval(outcomes, "a", "auc", draws, 0.95)
    assert alone.high - alone.low > 0.05


def test_a_clearly_better_model_has_a_difference_above_zero():
    (good, labels), (poor, _) = simulated(5, shift=3), simulated(6, shift=0)
    both = pd.concat([table_of(poor, labels, model="poor"), table_of(good, labels, model="good")])
    outcomes = Outcomes.from_decisions(both, ["poor", "good"])
    draws = uncertainty.patient_draws(labels, resamples=400, seed=0)
    gain = uncertainty.difference(outcomes, "good", "poor", "balanced_accuracy", draws, 0.95)
    expected = balanced_accuracy_score(labels, good >= 0.5) - balanced_accuracy_score(
        labels, poor >= 0.5
    )
    assert gain.estimate == pytest.approx(expected)
    assert 0 < gain.low < gain.estimate < gain.high


def test_the_interval_covers_the_truth_as_often_as_its_level():
    shift, times = 1.5, 120
    truth = {"balanced_accuracy": norm.cdf(shift / 2), "auc": norm.cdf(shift / np.sqrt(2))}
    held = dict.fromkeys(truth, 0)
    for seed in range(times):
        probabilities, labels = simulated(seed, shift=shift)
        outcomes = Outcomes.from_decisions(table_of(probabilities, labels), ["m"])
        draws = uncertainty.patient_draws(labels, resamples=200, seed=seed)
        for metric, true in truth.items():
            found = uncertainty.interval(outcomes, "m", metric, draws, 0.90)
            held[metric] += found.low <= true <= found.high
    # 90% of 120 is 108; four standard deviations of such a count are 13.
    assert all(95 <= count < 120 for count in held.values()), held


@pytest.mark.parametrize(
    ("held_out", "n_fitted", "factor"),
    [(100, 80, 1.5), (100, 90, np.sqrt(1 + 10 / 9)), (20, 80, np.sqrt(1.25)), (100, np.inf, 1)],
)
def test_intervals_are_widened_as_patients_scored_are_also_learned_from(held_out, n_fitted, factor):
    """Five folds, ten folds, one split of 80 and 20, and models from an endless supply."""
    probabilities, labels = simulated(10, n=held_out)
    free = Outcomes.from_decisions(table_of(probabilities, labels), ["m"])
    tied = Outcomes.from_decisions(table_of(probabilities, labels, n_fitted=n_fitted), ["m"])
    assert tied.widening == pytest.approx(factor)
    draws = uncertainty.patient_draws(labels, resamples=300, seed=1)
    alone = uncertainty.interval(free, "m", "auc", draws, 0.8)
    wide = uncertainty.interval(tied, "m", "auc", draws, 0.8)
    assert wide.estimate == alone.estimate
    assert wide.estimate - wide.low == pytest.approx(factor * (alone.estimate - alone.low))
    assert wide.high == pytest.approx(
        min(1.0, alone.estimate + factor * (alone.high - alone.estimate))
    )


def test_a_widened_interval_stays_within_what_a_score_can_be():
    probabilities, labels = simulated(11, n=40, shift=2)
    outcomes = Outcomes.from_decisions(table_of(probabilities, labels, n_fitted=4), ["m"])
    draws = uncertainty.patient_draws(labels, resamples=300, seed=1)
    found = uncertainty.interval(outcomes, "m", "auc", draws, 0.95)
    assert found.high == 1.0
    assert 0.0 <= found.low < found.estimate


def noise_in_folds(seed: int, k: int = 5, n: int = 60, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Out-of-fold probabilities of a ridge regression on noise, and labels that it cannot know."""
    generator = np.random.default_rng(seed)
    features, labels = generator.normal(size=(n, d)), np.arange(n) % 2
    probabilities = np.empty(n)
    for fold in range(k):
        held_out = (np.arange(n) // 2) % k == fold
        seen = features[~held_out]
        weights = np.linalg.solve(seen.T @ seen + np.eye(d), seen.T @ (labels[~held_out] - 0.5))
        probabilities[held_out] = 0.5 + features[held_out] @ weights
    return probabilities, labels


def test_only_widened_intervals_of_models_that_fit_noise_hold_one_half():
    times, missed = 200, {48.0: 0, np.inf: 0}
    for seed in range(times):
        probabilities, labels = noise_in_folds(seed)
        draws = uncertainty.patient_draws(labels, resamples=150, seed=seed)
        for n_fitted in missed:
            outcomes = Outcomes.from_decisions(
                table_of(probabilities, labels, n_fitted=n_fitted), ["m"]
            )
            found = uncertainty.interval(outcomes, "m", "auc", draws, 0.90)
            missed[n_fitted] += not found.low <= 0.5 <= found.high
    # 10% of 200 are 20; four standard deviations of such a count are 17.
    assert missed[48.0] <= 20
    assert missed[np.inf] > 37


def test_the_score_table_follows_the_order_asked_for_and_ignores_test_rows():
    (good, labels), (poor, _) = simulated(7, shift=3), simulated(8, shift=1)
    both = pd.concat([table_of(poor, labels, model="poor"), table_of(good, labels, model="good")])
    test = both.assign(part="test", label=-1, patient="T" + both["patient"])
    settings = {"resamples": 200, "level": 0.95, "seed": 3}
    scores = uncertainty.score_table(pd.concat([both, test]), ["poor", "good"], **settings)
    assert scores["model"].tolist() == ["poor", "good"]
    assert scores.columns[:4].tolist() == ["model", "balanced_accuracy", "low", "high"]
    others = [[m, f"{m}_low", f"{m}_high"] for m in ("f1", "recall", "precision", "auc")]
    assert scores.columns[4:].tolist() == [*np.concatenate(others), "n_patients"]
    for _, low, high in others:
        assert (scores[low] < scores[high]).all()
    assert scores["n_patients"].tolist() == [121, 121]
    assert scores["auc"].tolist() == pytest.approx([roc_auc_score(labels, p) for p in (poor, good)])
    assert (scores["low"] < scores["balanced_accuracy"]).all()
    assert (scores["balanced_accuracy"] < scores["high"]).all()
    swapped = uncertainty.score_table(both, ["good", "poor"], **settings)
    pd.testing.assert_frame_equal(swapped[::-1].reset_index(drop=True), scores)


def test_models_scored_on_different_patients_are_not_compared():
    probabilities, labels = simulated(9)
    fewer = np.where(np.arange(len(labels)) < 3, np.nan, probabilities)
    both = pd.concat(
        [table_of(probabilities, labels, model="all"), table_of(fewer, labels, model="few")]
    )
    with pytest.raises(uncertainty.UnpairedError, match="few"):
        Outcomes.from_decisions(both, ["all", "few"])
