"""What images add, on predictions whose scores are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from lymphokit.robustness.image_models import image_model_table

SETTINGS = {"clinical": "clinical", "rule": "half", "resamples": 200, "level": 0.95, "seed": 0}


def cohort(n: int = 60) -> tuple[pd.DataFrame, dict[str, list[pd.DataFrame]]]:
    """Two folds of a repeat; a model with signal, one at the prevalence, a clinical one."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    patients = pd.DataFrame(
        {
            "patient": [f"P{i}" for i in range(n)],
            "age_years": 60.0,
            "lymphocytes_giga_per_litre": 6.0,
        }
    )
    odds = {
        "sees": 1.5 * (2 * labels - 1) + rng.normal(size=n),
        "blind": np.zeros(n),
        "clinical": 1.0 * (2 * labels - 1) + rng.normal(size=n),
    }
    tables = {
        name: [
            pd.DataFrame(
                {
                    "patient": patients["patient"],
                    "part": np.where(np.arange(n) // 2 % 2 == fold, "validation", "inner"),
                    "inner": np.where(np.arange(n) // 2 % 2 == fold, -1, np.arange(n) // 4 % 2),
                    "label": labels,
                    "probability": expit(np.clip(values, -3, 3)),
                }
            )
            for fold in range(2)
        ]
        for name, values in odds.items()
    }
    return patients, tables


def table_of(**changes: object) -> pd.DataFrame:
    patients, tables = cohort()
    settings = SETTINGS | changes
    return image_model_table(tables, patients, {1: 0, 2: 0}, **settings).set_index("model")


def test_scores_are_those_of_the_predictions_alone_and_added() -> None:
    _, tables = cohort()
    validation = {
        name: pd.concat([each[each["part"] == "validation"] for each in folds])
        for name, folds in tables.items()
    }
    labels = validation["sees"]["label"]
    odds = {name: logit(each["probability"]) for name, each in validation.items()}
    row = table_of().loc["sees"]
    assert row["alone_auc"] == pytest.approx(roc_auc_score(labels, odds["sees"]))
    joined = roc_auc_score(labels, odds["sees"] + odds["clinical"])
    assert row["joined_auc"] == pytest.approx(joined)
    clinical = roc_auc_score(labels, odds["clinical"])
    assert row["gain_auc"] == pytest.approx(joined - clinical)
    assert row["gain_auc_low"] < row["gain_auc"] < row["gain_auc_high"]
    assert row["n_patients"] == 60


def test_a_model_at_the_prevalence_adds_nothing() -> None:
    row = table_of().loc["blind"]
    assert row["alone_auc"] == 0.5
    for metric in ("balanced_accuracy", "auc"):
        assert [row[f"gain_{metric}{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]


def test_the_clinical_model_has_no_row() -> None:
    assert table_of().index.tolist() == ["sees", "blind"]
