"""A planted artefact is found; where there is none, none is reported."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lymphokit.studies.confounders import (
    label_scores,
    train_or_test_scores,
    train_or_test_target,
)
from lymphokit.studies.confounders_figure import significant_artefacts
from lymphokit.studies.nuisance_columns import (
    CLINICAL,
    CONFOUNDERS,
    column_differences,
    confounder_columns,
)
from tests.studies.planted import STUDY, folds_of, honest_table


def scores_of(table: pd.DataFrame) -> pd.DataFrame:
    return label_scores(table, folds_of(table), STUDY).set_index("confounder", drop=False)


def significant(scores: pd.DataFrame) -> list[str]:
    return significant_artefacts(scores, STUDY.level)["confounder"].tolist()


def test_row_order_predicts_the_label_of_a_table_sorted_by_label() -> None:
    table = honest_table()
    table["row"] = np.argsort(np.argsort(table["truth"], kind="stable"), kind="stable")
    scores = scores_of(table)
    assert scores.loc["row order", "auc"] > 0.99
    assert scores.loc["row order", "balanced_accuracy"] > 0.9
    assert scores.loc["row order", "added_low"] > 0.0
    assert set(significant(scores)) == {"row order", "rows nearby"}


def test_the_direction_of_an_artefact_does_not_matter() -> None:
    table = honest_table()
    table["n_images"] = 40 - 5 * table["truth"]
    assert scores_of(table).loc["number of images", "auc"] == 1.0


def test_blocks_of_rows_are_found_by_the_rows_nearby() -> None:
    table = honest_table()
    order = np.argsort(np.argsort(table["truth"], kind="stable"), kind="stable")
    middle = np.where(table["truth"] == 0, 40, 0)  # reactive patients between two tumoral blocks
    table["row"] = np.where(table["truth"] == 0, middle + order, (order - 40) + 40 * (order >= 80))
    scores = scores_of(table)
    assert scores.loc["rows nearby", "auc"] > 0.9
    assert scores.loc["rows nearby", "auc"] > scores.loc["row order", "auc"] + 0.2
    assert "rows nearby" in significant(scores)


@pytest.fixture(scope="module")
def honest() -> list[pd.DataFrame]:
    return [scores_of(honest_table(seed)) for seed in range(8)]


def test_noise_is_reported_no_more_often_than_the_false_discovery_rate(
    honest: list[pd.DataFrame],
) -> None:
    assert sum(bool(significant(scores)) for scores in honest) <= 2  # 0.4 expected


def test_intervals_of_noise_mostly_cover_one_half(honest: list[pd.DataFrame]) -> None:
    scores = pd.concat(honest)
    noise = scores[(scores["family"] == "artefact") & scores["varies"]]
    covered = (noise["low"] <= 0.5) & (noise["high"] >= 0.5)
    assert covered.mean() > 0.8


def test_a_clinical_column_is_not_reported_as_an_artefact(honest: list[pd.DataFrame]) -> None:
    scores = honest[0]
    assert scores.loc["lymphocyte count", "adjusted_p"] < 0.05
    assert scores.loc["lymphocyte count", "low"] > 0.5
    assert significant(scores) == []


def test_a_constant_confounder_has_an_auc_of_one_half(honest: list[pd.DataFrame]) -> None:
    row = honest[0].loc["image size and JPEG tables"]
    assert not row["varies"]
    assert (row["auc"], row["low"], row["high"], row["adjusted_p"]) == (0.5, 0.5, 0.5, 1.0)
    assert np.isnan(row["added"])


def test_nothing_is_added_to_age_and_count_where_all_patients_have_the_same() -> None:
    scores = scores_of(honest_table().assign(**dict.fromkeys(CLINICAL, 1.0)))
    assert not scores.loc["age and count", "varies"]
    assert scores.loc["row order", "varies"]
    assert scores["added"].isna().all()


def test_a_column_constant_among_labelled_patients_may_separate_test_from_train() -> None:
    table = honest_table()
    table["width_px"] = np.where(table["part"] == "test", 256, 224)
    assert not scores_of(table).loc["image size and JPEG tables", "varies"]
    shift = train_or_test_scores(table, STUDY, k=5, repeats=1).set_index("confounder")
    assert shift.loc["image size and JPEG tables", "auc"] == 1.0
    assert shift.iloc[-1]["auc"] > 0.95


def test_glass_separates_test_patients_of_another_laboratory() -> None:
    table = honest_table()
    table.loc[table["part"] == "test", "glass_lightness_mean"] += 2.0
    shift = train_or_test_scores(table, STUDY, k=5, repeats=2)
    found = shift.loc[shift["adjusted_p"] < 0.05, "confounder"].tolist()
    assert found == ["stain: bare glass", "images, glass, age and count"]
    differing = column_differences(table).query("adjusted_p < 0.05")["column"].tolist()
    assert differing == ["glass_lightness_mean"]


def test_each_confounder_has_a_row_and_the_same_draws_give_the_same_rows(
    honest: list[pd.DataFrame],
) -> None:
    scores = honest[0]
    assert scores["confounder"].tolist() == [confounder.name for confounder in CONFOUNDERS]
    assert set(scores["n_patients"]) == {90}
    pd.testing.assert_frame_equal(scores, scores_of(honest_table(0)))


def test_a_column_is_described_by_its_middle_in_each_group() -> None:
    table = honest_table()
    table["is_male"] = (table["label"] == 1).astype(float)
    rows = column_differences(table).set_index("column")
    assert (rows.loc["is_male", "reactive"], rows.loc["is_male", "tumoral"]) == (0.0, 1.0)
    ages = table.loc[table["part"] == "test", "age_years"]
    assert rows.loc["age_years", "test"] == ages.median()
    expected = roc_auc_score(table["part"] == "test", table["age_years"])
    assert rows.loc["age_years", "test_auc"] == pytest.approx(expected)
    assert "width_px" not in rows.index


def test_folds_of_train_and_test_hold_every_patient_out_once_a_repeat() -> None:
    table = pd.DataFrame({"patient": range(12), "part": ["train"] * 9 + ["test"] * 3})
    target = train_or_test_target(table, k=5, repeats=2, seed=0)  # 3 test patients: 3 folds
    assert target.scored.all()
    assert [np.unique(repeat).tolist() for repeat in target.held_out] == [[1, 2, 3], [4, 5, 6]]
    for repeat in target.held_out:
        assert np.bincount(repeat[target.labels == 1]).max() == 1


def test_artefacts_of_other_patients_are_refused() -> None:
    patients = pd.DataFrame({"patient": ["P1"], "part": ["train"]})
    with pytest.raises(ValueError, match="artefacts"):
        confounder_columns(patients, pd.DataFrame({"patient": ["P2"], "row": [0]}))
