"""Small cohorts with a known link between label, age and count, and images."""

import numpy as np
import pandas as pd

from lymphokit.cohort.folds import make_folds
from lymphokit.studies.refit import RefitCohort

FOLD_SETTINGS = {
    "scheme": "kfold",
    "k": 3,
    "repeats": 1,
    "validation": 0.2,
    "inner": 3,
    "stratify": ["label", "gender", "age", "count"],
    "age_edge_years": "median",
    "count_edge_giga_per_litre": "median",
}
CHOSEN = {
    "clinical": {"kind": "clinical_logistic", "enabled": True, "C": 1.0},
    "pooled": {
        "kind": "pooled_logistic",
        "enabled": True,
        "features": "drawn",
        "pca": 4,
        "C": 1.0,
    },
}


def patients_and_bank(*, clinical=0.0, images=0.0, n=60, n_test=4, seed=0):
    """patients.csv and a bank of 6 features; `clinical` and `images`: deviations between labels."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat([0, 1, 1], n // 3))
    sizes = rng.integers(3, 9, n + n_test)
    shift = np.append(label, rng.integers(0, 2, n_test))
    patients = pd.DataFrame(
        {
            "patient": [f"P{i}" for i in range(n + n_test)],
            "part": ["train"] * n + ["test"] * n_test,
            "label": np.append(label, np.full(n_test, -1)),
            "gender": rng.choice(["F", "M"], n + n_test),
            "age_years": 60 + 10 * (rng.normal(size=n + n_test) + clinical * shift),
            "lymphocytes_giga_per_litre": np.exp(rng.normal(2, 0.8, n + n_test)),
            "n_cells": sizes,
        }
    )
    bank = rng.normal(size=(sizes.sum(), 6)) + rng.normal(size=(n + n_test, 6)).repeat(
        sizes, axis=0
    )
    bank[:, 0] += 2 * images * shift.repeat(sizes)
    return patients, bank.astype(np.float32)


def labelled(**drawn):
    """The same as refits take it, with the run's folds."""
    patients, bank = patients_and_bank(**drawn)
    cohort = RefitCohort.from_tables(patients, CHOSEN, {"drawn": bank}, stack_C=0.1)
    return cohort, make_folds(patients, seed=1, **FOLD_SETTINGS)
