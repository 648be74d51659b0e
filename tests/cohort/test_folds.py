"""Folds: stratified, balanced, complete, and blind to the order of rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from lymphokit.cohort.folds import make_folds, merge_rare, stratum_codes
from lymphokit.errors import ConfigError

CONFIG = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())["folds"]


def draw(patients: pd.DataFrame, seed: int = 0, **changes: Any) -> pd.DataFrame:
    assert not set(changes) - set(CONFIG)
    return make_folds(patients, **(CONFIG | changes), seed=seed)


def make_patients(n_reactive: int, n_tumoral: int, n_test: int = 5, seed: int = 0) -> pd.DataFrame:
    """Patients whose attributes are drawn at random, with some strata rare."""
    rng = np.random.default_rng(seed)
    n = n_reactive + n_tumoral + n_test
    labels = np.repeat([0, 1, -1], [n_reactive, n_tumoral, n_test])
    return pd.DataFrame(
        {
            "patient": [f"P{i}" for i in rng.permutation(n)],
            "part": np.where(labels < 0, "test", "train"),
            "label": labels,
            "gender": rng.choice(["M", "F"], n, p=[0.3, 0.7]),
            "age_years": rng.uniform(30, 100, n),
            "lymphocytes_giga_per_litre": rng.lognormal(2, 1, n),
        }
    )


cohorts = st.builds(
    make_patients, st.integers(12, 60), st.integers(12, 120), st.integers(0, 9), st.integers(0, 99)
)


@settings(max_examples=25, deadline=None)
@given(
    patients=cohorts,
    k=st.integers(2, 5),
    repeats=st.integers(1, 3),
    edge=st.sampled_from([77.0, "median"]),
)
def test_every_patient_is_validated_on_once_a_repeat(
    patients: pd.DataFrame, k: int, repeats: int, edge: float | str
) -> None:
    folds = draw(patients, k=k, repeats=repeats, inner=2, age_edge_years=edge)
    labelled = set(patients.loc[patients["part"] == "train", "patient"])
    assert folds["fold"].unique().tolist() == list(range(1, k * repeats + 1))
    assert (folds["repeat"] == (folds["fold"] - 1) // k + 1).all()
    for _, fold in folds.groupby("fold"):
        assert set(fold["patient"]) == labelled
        assert len(fold) == len(labelled)
    validated = folds[folds["part"] == "validation"]
    for _, repeat in validated.groupby("repeat"):
        assert sorted(repeat["patient"]) == sorted(labelled)


@settings(max_examples=25, deadline=None)
@given(patients=cohorts, k=st.integers(2, 5), inner=st.integers(2, 4))
def test_folds_differ_by_one_patient_at_most_in_all_and_of_each_label(
    patients: pd.DataFrame, k: int, inner: int
) -> None:
    folds = draw(patients, k=k, inner=inner).merge(patients[["patient", "label"]])
    held_out = folds[folds["part"] == "validation"]
    assert np.ptp(held_out.groupby("fold").size()) <= 1
    assert np.ptp(pd.crosstab(held_out["fold"], held_out["label"]), axis=0).max() <= 1
    assert set(held_out["inner"]) == {-1}
    for _, fold in folds[folds["part"] == "train"].groupby("fold"):
        assert set(fold["inner"]) == set(range(inner))
        assert np.ptp(fold.groupby("inner").size()) <= 1
        assert np.ptp(pd.crosstab(fold["inner"], fold["label"]), axis=0).max() <= 1


@settings(max_examples=15, deadline=None)
@given(patients=cohorts, seed=st.integers(0, 9), scheme=st.sampled_from(["kfold", "split"]))
def test_the_order_of_rows_plays_no_part(patients: pd.DataFrame, seed: int, scheme: str) -> None:
    folds = draw(patients, inner=2, scheme=scheme)
    shuffled = draw(patients.sample(frac=1, random_state=seed), inner=2, scheme=scheme)
    pd.testing.assert_frame_equal(folds, shuffled)


def test_merged_strata_are_spread_evenly() -> None:
    patients = make_patients(50, 113)
    labelled = patients[patients["part"] == "train"]
    strata = merge_rare(stratum_codes(labelled, CONFIG["stratify"], 77, 7.81), 5)
    named = pd.DataFrame({"patient": labelled["patient"], "stratum": strata})
    folds = draw(patients).merge(named)
    held_out = folds[folds["part"] == "validation"]
    assert np.ptp(pd.crosstab(held_out["fold"], held_out["stratum"]), axis=0).max() <= 1


def test_another_seed_and_another_repeat_draw_other_folds() -> None:
    patients = make_patients(50, 113)
    folds = draw(patients, repeats=2)
    assert not folds.equals(draw(patients, seed=1, repeats=2))
    held_out = folds[folds["part"] == "validation"].groupby("fold")["patient"].agg(set)
    assert held_out[1] != held_out[6]


def test_split_holds_out_the_reports_share_once_a_repeat() -> None:
    patients = make_patients(44, 98)
    folds = draw(patients, scheme="split", repeats=3)
    assert folds["fold"].unique().tolist() == [1, 2, 3]
    assert (folds["fold"] == folds["repeat"]).all()
    held_out = folds[folds["part"] == "validation"].merge(patients[["patient", "label"]])
    assert held_out.groupby("fold").size().tolist() == [29, 29, 29]  # a fifth of 142, rounded up
    shares = held_out.groupby("fold")["label"].mean()
    assert shares.between(98 / 142 - 0.05, 98 / 142 + 0.05).all()


def test_split_is_scikit_learns_where_no_stratum_is_rare() -> None:
    grid = [(g, a, c, y) for g in "MF" for a in (50, 90) for c in (3, 30) for y in (0, 1)] * 5
    patients = pd.DataFrame(
        grid, columns=["gender", "age_years", "lymphocytes_giga_per_litre", "label"]
    )
    patients = patients.assign(patient=[f"P{i}" for i in range(80)], part="train")
    folds = draw(patients, scheme="split", seed=3)
    state = int(np.random.SeedSequence((3, 1)).generate_state(1)[0])
    strata = patients.drop(columns="patient").astype(str).agg("".join, axis=1)
    _, expected = train_test_split(
        patients["patient"], test_size=0.2, stratify=strata, random_state=state
    )
    held_out = folds.loc[folds["part"] == "validation", "patient"]
    counts = strata[patients["patient"].isin(held_out)].value_counts()
    assert len(held_out) == len(expected) == 16
    assert (counts == 1).all()  # one of each of the 16 strata


def test_codes_name_label_gender_age_and_count() -> None:
    patients = pd.DataFrame(
        {
            "label": [0, 1, 0, 0, 0],
            "gender": ["M", "M", "F", "M", "M"],
            "age_years": [77.0, 77.0, 77.0, 77.5, 77.0],
            "lymphocytes_giga_per_litre": [7.81, 7.81, 7.81, 7.81, 7.82],
        }
    )
    names = CONFIG["stratify"]
    assert stratum_codes(patients, names, 77, 7.81).tolist() == [0, 8, 4, 2, 1]
    assert stratum_codes(patients, names, "median", "median").tolist() == [0, 8, 4, 2, 1]
    assert stratum_codes(patients, ["label", "age"], 77, 7.81).tolist() == [0, 8, 0, 2, 0]


@pytest.mark.parametrize("scheme", ["kfold", "split"])
def test_attributes_that_are_not_stratified_play_no_part(scheme: str) -> None:
    patients = make_patients(50, 113)
    others = patients.assign(
        gender="M", age_years=patients["age_years"].to_numpy()[::-1], lymphocytes_giga_per_litre=1.0
    )
    folds = draw(patients, scheme=scheme, stratify=["label"])
    pd.testing.assert_frame_equal(folds, draw(others, scheme=scheme, stratify=["label"]))
    assert not folds.equals(draw(patients, scheme=scheme))


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ({0: 9, 1: 2, 2: 9, 4: 9}, {0: 11, 2: 9, 4: 9}),  # gives up the count first
        ({0: 9, 3: 2, 1: 9, 2: 9}, {0: 9, 1: 9, 2: 11}),  # the count, though age is as near
        ({0: 2, 2: 9, 4: 9}, {2: 11, 4: 9}),  # then age
        ({0: 2, 3: 9, 4: 9}, {3: 9, 4: 11}),  # gender alone before two attributes
        ({7: 2, 8: 9, 0: 9, 15: 9}, {0: 11, 8: 9, 15: 9}),  # never the label
        ({0: 3, 1: 3, 6: 9}, {1: 6, 6: 9}),  # rare ones join each other
        ({0: 5, 1: 5}, {0: 5, 1: 5}),
    ],
)
def test_a_rare_stratum_joins_its_nearest(sizes: dict[int, int], merged: dict[int, int]) -> None:
    codes = np.repeat(list(sizes), list(sizes.values())).astype(np.int64)
    found, counts = np.unique(merge_rare(codes, 5), return_counts=True)
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == merged


@settings(deadline=None)
@given(st.lists(st.integers(0, 7), min_size=5), st.lists(st.integers(8, 15), min_size=5))
def test_no_stratum_stays_rare_and_no_label_is_crossed(
    reactive: list[int], tumoral: list[int]
) -> None:
    codes = np.array(reactive + tumoral)
    merged = merge_rare(codes, 5)
    assert np.unique(merged, return_counts=True)[1].min() >= 5
    assert (merged >> 3 == codes >> 3).all()


@pytest.mark.parametrize(
    ("n_reactive", "changes", "message"),
    [
        (4, {}, r"4 reactive patients \(label 0\) are too few for folds.k, which takes 5"),
        (5, {}, r"4 reactive patients \(label 0\) are too few for folds.inner, which takes 5"),
        (3, {"scheme": "split"}, "3 reactive patients .* folds.validation 0.2, which takes 5"),
        (0, {}, "0 reactive patients"),
    ],
)
def test_a_label_with_too_few_patients_is_an_error(
    n_reactive: int, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        draw(make_patients(n_reactive, 40), **changes)
