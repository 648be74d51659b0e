import numpy as np
import pandas as pd
import pytest

from lymphokit.calibration import referral
from lymphokit.calibration.referral import REACTIVE, REFERRED, TUMORAL, Costs

COSTS = Costs(missed=20.0, false_alarm=5.0)
WANTED = {"sensitivity": 0.9, "specificity": 0.8}


def long_table(
    n: int = 200, model: str = "m", seed: int = 0, folds: int = 2, apart: float = 3.0
) -> pd.DataFrame:
    """Calibrated probabilities: labels are drawn from them."""
    tables = []
    for fold in range(1, folds + 1):
        generator = np.random.default_rng([seed, fold])
        probabilities = generator.beta(0.9, 0.9 / apart * 2, n)
        labels = (generator.random(n) < probabilities).astype(np.int64)
        part = np.array(["inner", "validation"])[(np.arange(n) % 2)]
        rows = pd.DataFrame(
            {"fold": fold, "repeat": 1, "patient": [f"F{fold}P{i}" for i in range(n)]}
        )
        rows = rows.assign(
            part=part,
            label=labels,
            model=model,
            probability=probabilities,
            calibrated=probabilities,
        )
        test = rows.head(6).assign(part="test", label=-1, patient=[f"T{i}" for i in range(6)])
        tables += [rows, test]
    return pd.concat(tables, ignore_index=True)


def decided(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["part"] != "inner"]
    return rows.assign(threshold=0.5, decision=(rows["probability"] >= 0.5).astype(int))


@pytest.mark.parametrize("costs", [COSTS, Costs(3.0, 10.0), Costs(1.5, 1.5), Costs(0.5, 8.0)])
def test_chows_edges_take_the_action_of_least_expected_cost(costs):
    probabilities = np.linspace(0.0005, 0.9995, 1000)
    each = np.stack(
        [probabilities * costs.missed, (1 - probabilities) * costs.false_alarm, np.ones(1000)]
    )
    taken = referral.choose_actions(probabilities, *costs.band())
    np.testing.assert_allclose(each[taken, np.arange(1000)], each.min(axis=0))


def test_no_other_band_costs_less_on_calibrated_probabilities():
    generator = np.random.default_rng(0)
    probabilities = generator.beta(1.2, 0.6, 100_000)
    labels = (generator.random(100_000) < probabilities).astype(np.int64)

    def cost(low: float, high: float) -> float:
        return float(
            COSTS.incurred(labels, referral.choose_actions(probabilities, low, high)).mean()
        )

    edges = np.linspace(0, 1, 21)
    every = {(low, high): cost(low, high) for low in edges for high in edges if low <= high}
    assert min(every, key=every.get) == pytest.approx(COSTS.band())
    assert COSTS.band() == pytest.approx((0.05, 0.8))


def test_where_flow_cytometry_never_pays_each_patient_gets_the_cheaper_call():
    dear = Costs(missed=1.5, false_alarm=1.5)
    assert dear.band() == (0.5, 0.5)
    taken = referral.choose_actions(np.array([0.49, 0.5, 0.51]), *dear.band())
    assert taken.tolist() == [REACTIVE, TUMORAL, TUMORAL]


def test_the_cost_of_each_outcome_by_hand():
    labels, actions = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert COSTS.incurred(labels, actions).tolist() == [0, 20, 5, 0, 1, 1]


def test_the_wanted_band_keeps_wrong_calls_within_the_wanted_shares_on_new_patients():
    wrong = []
    for seed in range(150):
        table = long_table(160, seed=seed, folds=1)
        referred = referral.apply_band(table, band="wanted", costs=COSTS, wanted=WANTED)
        scored = referred[referred["part"] == "validation"]
        tumoral, reactive = scored["label"] == 1, scored["label"] == 0
        wrong.append(
            (
                (scored["action"][tumoral] == REACTIVE).mean(),
                (scored["action"][reactive] == TUMORAL).mean(),
            )
        )
    missed, alarmed = np.mean(wrong, axis=0)
    assert 0.06 < missed < 0.11
    assert 0.13 < alarmed < 0.22


def test_where_one_threshold_does_both_nobody_is_referred():
    labels = np.repeat([0, 1], 30)
    probabilities = np.concatenate([np.linspace(0.1, 0.3, 30), np.linspace(0.6, 0.9, 30)])
    low, high = referral.wanted_band(labels, probabilities, **WANTED)
    assert low == high
    assert set(referral.choose_actions(probabilities, low, high)) == {REACTIVE, TUMORAL}


@pytest.mark.parametrize("band", ["costs", "wanted"])
def test_labels_of_validation_patients_do_not_move_the_band(band):
    table = long_table()
    turned = table.copy()
    held = turned["part"] == "validation"
    turned.loc[held, "label"] = 1 - turned.loc[held, "label"]
    one, other = (
        referral.apply_band(t, band=band, costs=COSTS, wanted=WANTED) for t in (table, turned)
    )
    for column in ("low", "high", "action"):
        np.testing.assert_array_equal(one[column], other[column])
    if band == "wanted":
        assert one["low"].nunique() == 2


def tables(costs: Costs = COSTS) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.concat([long_table(), long_table(model="clinical", seed=5)])
    # The same patients and labels, with unrelated probabilities.
    table.loc[table["model"] == "clinical", "label"] = table.loc[
        table["model"] == "m", "label"
    ].to_numpy()
    referred = referral.apply_band(table, band="costs", costs=costs, wanted=WANTED)
    compared = referral.strategies(referred, decided(table), ["m", "clinical"], costs)
    return referred, referral.referral_table(compared, costs, resamples=200, level=0.95, seed=0)


def test_the_table_by_hand():
    referred, table = tables()
    rows = referred[(referred["part"] == "validation") & (referred["model"] == "m")]
    first = table.iloc[0]
    called = rows[rows["action"] != REFERRED]
    assert first["strategy"] == "m, referral band"
    assert first["n_patients"] == len(rows) == 200
    assert first["referred"] == pytest.approx((rows["action"] == REFERRED).mean())
    assert first["accuracy"] == pytest.approx((called["action"] == called["label"]).mean())
    of_tumoral = called[called["label"] == 1]
    assert first["sensitivity"] == pytest.approx((of_tumoral["action"] == 1).mean())
    assert first["missed"] == (of_tumoral["action"] == 0).sum()
    assert first["called_tumoral"] == len(of_tumoral)
    by_hand = 20 * first["missed"] + 5 * first["false_alarms"] + (rows["action"] == 2).sum()
    assert first["cost"] == pytest.approx(by_hand / 200)
    assert first["cost_low"] < first["cost"] < first["cost_high"]


def test_other_strategies_are_compared_with_the_first():
    _, table = tables()
    by_name = table.set_index("strategy")
    assert list(by_name.index) == [
        "m, referral band",
        "m, no referral",
        "m, as submitted",
        "clinical, referral band",
        "clinical, no referral",
        "refer all",
    ]
    assert by_name.loc["refer all", ["referred", "cost"]].tolist() == [1, 1]
    assert np.isnan(by_name.loc["refer all", "sensitivity"])
    first = by_name.loc["m, referral band"]
    assert first[["dearer", "dearer_low", "dearer_high"]].tolist() == [0, 0, 0]
    assert by_name.loc["clinical, referral band", "dearer_low"] > 0
    np.testing.assert_allclose(by_name["dearer"], by_name["cost"] - first["cost"])


def test_the_share_missed_has_an_upper_bound_above_zero():
    _, table = tables()
    assert (table["missed_high"] > 0).all()


def test_the_curve_runs_through_the_chosen_band_and_from_nobody_to_nearly_everybody():
    referred, table = tables()
    curve = referral.risk_coverage(referred, ["m"], COSTS, resamples=100, level=0.95, seed=0)
    chosen = curve[curve["price"] == 1].iloc[0]
    for column in ("referred", "accuracy", "cost"):
        assert chosen[column] == pytest.approx(table.iloc[0][column])
    assert curve["referred"].is_monotonic_decreasing
    assert curve["referred"].min() == 0
    assert curve["referred"].max() > 0.95
    none = table.set_index("strategy").loc["m, no referral"]
    assert curve.iloc[-1]["cost"] == pytest.approx(none["cost"])
    assert (curve["accuracy_low"] <= curve["accuracy"]).all()


def test_repeats_do_not_count_as_more_patients():
    table = long_table()
    twice = pd.concat([table, table.assign(repeat=2, fold=table["fold"] + 2)])
    found = []
    for rows in (table, twice):
        referred = referral.apply_band(rows, band="costs", costs=COSTS, wanted=WANTED)
        compared = referral.strategies(referred, decided(rows), ["m"], COSTS)
        found.append(referral.referral_table(compared, COSTS, resamples=50, level=0.95, seed=0))
    pd.testing.assert_frame_equal(*found)


def test_test_patients_are_advised_by_the_mean_over_folds():
    table = long_table()
    advice = referral.advise_test_patients(
        referral.apply_band(table, band="costs", costs=COSTS, wanted=WANTED), "m"
    )
    assert advice["patient"].tolist() == [f"T{i}" for i in range(6)]
    rows = table[table["patient"] == "T3"]["calibrated"]
    row = advice.set_index("patient").loc["T3"]
    assert row["probability"] == pytest.approx(rows.mean())
    word = referral.ACTION_NAMES[int(referral.choose_actions(rows.mean(), 0.05, 0.8))]
    assert row["advice"] == word


def test_a_model_without_predictions_is_named():
    table = long_table()
    referred = referral.apply_band(table, band="costs", costs=COSTS, wanted=WANTED)
    with pytest.raises(referral.ReferralError, match="stack"):
        referral.strategies(referred, decided(table), ["stack"], COSTS)
    with pytest.raises(referral.ReferralError, match="no test patient"):
        referral.advise_test_patients(referred[referred["part"] != "test"], "m")
