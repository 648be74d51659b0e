"""A small finished run without a fault, to plant one in: two folds, two inner folds each."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from lymphokit.audit.choice_checks import BlendRecord, with_blends
from lymphokit.audit.fold_checks import Tables
from lymphokit.ensemble import fold as ensemble
from lymphokit.evaluation import out_of_fold

MODELS = ("clinical", "pooled", "d_mil")
RULE = "midpoint"
RECIPES = ensemble.recipes(
    blended=MODELS,
    image_models=MODELS[1:],
    best=3,
    stack_C=0.1,
    product={"images": MODELS[1:], "clinical": MODELS[:1]},
    choices={"chosen": MODELS[1:]},
    rule=RULE,
)
N_TRAINING, N_TEST = 24, 5
TRAINING = [f"P{i}" for i in range(N_TRAINING)]
TEST = [f"P{i}" for i in range(N_TRAINING, N_TRAINING + N_TEST)]


def patients() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    n = N_TRAINING + N_TEST
    return pd.DataFrame(
        {
            "patient": [*TRAINING, *TEST],
            "part": ["train"] * N_TRAINING + ["test"] * N_TEST,
            "label": [i // 4 % 2 for i in range(N_TRAINING)] + [-1] * N_TEST,
            "age_years": generator.uniform(40, 90, n),
            "lymphocytes_giga_per_litre": generator.uniform(4, 90, n),
        }
    )


def folds() -> pd.DataFrame:
    rows = [
        (
            number,
            1,
            patient,
            *(("validation", -1) if i % 2 == number % 2 else ("train", i // 2 % 2)),
        )
        for number in (1, 2)
        for i, patient in enumerate(TRAINING)
    ]
    return pd.DataFrame(rows, columns=["fold", "repeat", "patient", "part", "inner"])


def predictions() -> dict[tuple[int, str], pd.DataFrame]:
    generator = np.random.default_rng(1)
    label_of = patients().set_index("patient")["label"]
    tables = {}
    for number, rows in folds().groupby("fold"):
        rows = rows[["patient", "part", "inner"]].replace({"part": {"train": "inner"}})
        test = pd.DataFrame({"patient": TEST, "part": "test", "inner": -1})
        rows = pd.concat([rows, test], ignore_index=True)
        labels = rows["patient"].map(label_of)
        for model in MODELS:
            probabilities = expit(2.0 * (labels == 1) - 1 + generator.normal(size=len(rows)))
            tables[int(str(number)), model] = rows.assign(label=labels, probability=probabilities)
    return tables


def blends(tables: Tables) -> dict[int, BlendRecord]:
    made = {}
    for number in (1, 2):
        panel = ensemble.MemberPredictions.from_tables(
            {m: tables[number, m] for m in MODELS}, patients()
        )
        blended, chosen = ensemble.blend_fold(panel, RECIPES, RULE)
        together = pd.concat([table.assign(blend=name) for name, table in blended.items()])
        made[number] = BlendRecord(together, chosen)
    return made


def decisions(tables: Tables, made: dict[int, BlendRecord]) -> pd.DataFrame:
    return pd.concat(
        [
            out_of_fold.decision_table(
                table,
                model=model,
                fold=number,
                repeat=1,
                rule=ensemble.rule_for(model, RULE),
            )
            for (number, model), table in with_blends(tables, made).items()
        ],
        ignore_index=True,
    )


def records() -> dict[tuple[int, str], dict[str, Any] | None]:
    return {
        (number, model): _record(rows)
        for number, rows in folds().groupby("fold")
        for model in MODELS
    }


def _record(fold: pd.DataFrame) -> dict[str, Any]:
    training = fold[fold["part"] == "train"]
    fits = [
        {
            "inner": inner,
            "fitted_on": training.loc[training["inner"] != inner, "patient"].tolist(),
            "predicted": training.loc[training["inner"] == inner, "patient"].tolist(),
        }
        for inner in (0, 1)
    ]
    validation = fold.loc[fold["part"] == "validation", "patient"].tolist()
    whole = {"inner": -1, "fitted_on": training["patient"].tolist()}
    features = {"source": "measurements", "fitted_on": "nothing of this cohort"}
    return {"fits": [*fits, {**whole, "predicted": [*validation, *TEST]}], "features": features}


def findings(check: Any) -> str:
    """All findings of a check, a line each."""
    return "\n".join(f"{fault.patient}: {fault.finding}" for fault in check.faults)
