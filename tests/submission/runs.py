"""Submissions with their folder, for tests: a CSV, a ledger row, settings and decisions."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.provenance import file_sha256
from lymphokit.submission.run_folder import write_run

SETTINGS: dict[str, Any] = {"seed": 7, "raw": "demo", "models": {"mi_svm": {"C": 1.0, "pca": 4}}}
SCORES = "model,balanced_accuracy\nstack,0.8\n"


def decided(labels: Any, decisions: Any, repeat: int = 1, model: str = "stack") -> pd.DataFrame:
    """Validation rows of one repeat, and a test row that no folder keeps."""
    n = len(labels)
    rows = pd.DataFrame(
        {
            "fold": repeat,
            "repeat": repeat,
            "patient": [f"T{number}" for number in range(n)],
            "part": "validation",
            "label": labels,
            "model": model,
            "n_fitted": 100,
            "probability": np.where(np.asarray(decisions) == 1, 0.7, 0.3),
            "threshold": 0.5,
            "decision": decisions,
        }
    )
    test = rows.iloc[:1].assign(patient="P0", part="test", label=-1)
    return pd.concat([rows, test], ignore_index=True)


def with_folder(
    csv: Path,
    decisions: pd.DataFrame,
    settings: dict[str, Any] | None = None,
    commit: str = "0123456789ab",
    **more: Any,
) -> Path:
    """Write the folder of a submission that is there; more: fields of the receipt."""
    receipt = {
        "file": str(csv),
        "sha256": file_sha256(csv),
        "commit": commit,
        "config_digest": "c0ffee",
        "blend": "stack",
        **more,
    }
    scores = csv.parent / "scores.tmp"
    scores.write_text(SCORES)
    folder = write_run(csv, settings or SETTINGS, scores, decisions, receipt)
    scores.unlink()
    return folder
