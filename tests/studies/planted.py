"""A table of confounders of which only the count predicts the label, to plant artefacts in."""

import numpy as np
import pandas as pd

from lymphokit.studies.confounders import ConfounderStudy
from lymphokit.studies.nuisance_columns import CONFOUNDERS
from lymphokit.studies.probes import ProbeSettings

STUDY = ConfounderStudy(ProbeSettings(ridge=0.1, neighbours=7), resamples=200, level=0.95, seed=3)


def honest_table(seed: int = 0, *, train: int = 90, test: int = 30) -> pd.DataFrame:
    """Patients whose count alone depends on the label; everything else is random."""
    rng = np.random.default_rng(seed)
    n = train + test
    label = rng.permutation(np.arange(n) % 3 > 0).astype(int)
    is_test = rng.permutation(np.arange(n) < test)
    names = dict.fromkeys(name for confounder in CONFOUNDERS for name in confounder.columns)
    table = pd.DataFrame({name: rng.normal(size=n) for name in names})
    table["log_lymphocytes"] += label
    table["row"] = rng.permutation(n)
    table[["width_px", "height_px", "jpeg_quantisation"]] = 224
    table.insert(0, "patient", [f"P{i}" for i in range(n)])
    table.insert(1, "part", np.where(is_test, "test", "train"))
    table.insert(2, "label", np.where(is_test, -1, label))
    return table.assign(truth=label)


def folds_of(table: pd.DataFrame, k: int = 5) -> pd.DataFrame:
    """Folds of the labelled patients, stratified by label."""
    known = table[table["label"] >= 0].sort_values("label")
    place = np.arange(len(known)) % k
    parts = [
        pd.DataFrame(
            {
                "fold": fold + 1,
                "repeat": 1,
                "patient": known["patient"],
                "part": np.where(place == fold, "validation", "train"),
            }
        )
        for fold in range(k)
    ]
    return pd.concat(parts, ignore_index=True)
