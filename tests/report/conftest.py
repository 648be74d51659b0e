"""A small finished run, with names that are HTML, whose results are known by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lymphokit import config
from lymphokit.cohort.tables import write_table
from lymphokit.files import write_json
from lymphokit.report.page import write_report
from lymphokit.report.run_files import Run

ROOT = Path(__file__).parents[2]
HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "a&b\"c'{{ 7*7 }}")
IDS = (*HOSTILE, "NA", "007", "P10", "P2", "T1")
LABELS = (1, 0, 1, 0, 1, 0, 1, -1)
# The error is largest for "NA" and second for "P2"; the models differ most about "P10".
BLEND = (0.9, 0.2, 0.8, 0.95, 0.7, 0.1, 0.1, 0.6)
LINEAR = (0.9, 0.2, 0.8, 0.9, 0.7, 0.9, 0.1, 0.6)
CLINICAL = (0.8, 0.3, 0.7, 0.9, 0.6, 0.05, 0.2, 0.5)
N_CELLS, MEMBERS, PX = 10, 2, 64
FIGURES = ("age", "scores", "added_fold1")


def decisions() -> pd.DataFrame:
    probabilities = {"product": BLEND, "linear": LINEAR, "clinical": CLINICAL}
    rows = [
        {
            "fold": 1,
            "repeat": 1,
            "patient": patient,
            "label": label,
            "model": model,
            "part": "test" if label < 0 else "validation",
            "n_fitted": 6,
            "probability": value,
            "threshold": 0.5,
            "decision": int(value >= 0.5),
        }
        for model, values in probabilities.items()
        for patient, label, value in zip(IDS, LABELS, values, strict=True)
    ]
    return pd.DataFrame(rows)


def scores() -> pd.DataFrame:
    row = {"features": "", "balanced_accuracy": 0.8, "low": 0.6, "high": 0.9, "naive": 0.85}
    row |= {"auc": 0.9, "auc_low": 0.7, "auc_high": 1.0, "n_patients": 7}
    return pd.DataFrame([{"model": name, **row} for name in ("clinical", "linear", "product")])


def cell_scores() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "patient": np.repeat(IDS, N_CELLS),
            "part": np.repeat(["test" if label < 0 else "validation" for label in LABELS], N_CELLS),
            "place": np.tile(np.arange(N_CELLS), len(IDS)),
            "score": np.tile(np.linspace(-1, 1, N_CELLS), len(IDS)),
            "attention_1": rng.random(N_CELLS * len(IDS)),
            "attention_2": rng.random(N_CELLS * len(IDS)),
        }
    )


def subsets() -> pd.DataFrame:
    """Two cells keep any call; without them it is lost; random cells keep none."""
    rows = []
    for patient, label, value in zip(IDS, LABELS, LINEAR, strict=True):
        if label < 0:
            continue
        called = value >= 0.5
        rows.append((patient, "all", N_CELLS, value, np.nan))
        for order in ("highest", "lowest", "attention", "random1"):
            for number in (1, 2):
                kept = order != "random1" and number == 2
                alone = value if kept else 1 - value
                without = 0.4 if (called == kept) else 0.6
                rows.append((patient, order, number, alone, without))
    return pd.DataFrame(rows, columns=["patient", "order", "n_cells", "alone", "without"])


def write_cohort(folder: Path, raw: Path) -> None:
    table = pd.DataFrame({"patient": IDS, "label": LABELS, "gender": "M", "age_years": 70.0})
    table["part"] = np.where(table["label"] < 0, "test", "train")
    table["lymphocytes_giga_per_litre"] = 8.0
    table["n_cells"] = N_CELLS
    names = [f"<b>{place}</b>.png" for place in range(N_CELLS)]
    cells = pd.DataFrame({"patient": np.repeat(IDS, N_CELLS), "image": names * len(IDS)})
    cells["path"] = [f"{place}.png" for place in range(len(cells))]
    rng = np.random.default_rng(1)
    for path in cells["path"]:
        pixels = rng.integers(0, 255, (PX, PX, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(raw / path)
    (folder / "cohort").mkdir()
    write_table(table, folder / "cohort/patients.csv")
    write_table(cells.assign(cell=range(len(cells))), folder / "cohort/cells.csv")


def write_results(folder: Path) -> None:
    write_table(decisions(), folder / "decisions.csv")
    write_table(scores(), folder / "scores.csv")
    row = {"model": "product", "reference": "clinical", "balanced_accuracy": 0.1, "low": 0.02}
    row |= {"high": 0.2, "only_model_right": 3, "only_reference_right": 1, "mcnemar_p": 0.4}
    write_table(pd.DataFrame([row]), folder / "comparisons.csv")
    check = {"check": "folds", "passed": True, "compared": "<i>5 folds</i>", "findings": []}
    write_json(folder / "audit.json", {"checks": [check]})
    receipt = dict.fromkeys(("sha256", "commit", "config_digest", "folds_digest", "machine"), "x")
    receipt |= {"file": "submissions/<u>.csv", "blend": "product"}
    numbers = {"oof_effective_sample_size": 3.2, "changed_code": []}
    write_json(folder / "submission.json", receipt | numbers)
    (folder / "figures").mkdir()
    for name in FIGURES:
        Image.new("RGB", (200, 100), "white").save(folder / f"figures/{name}.png")
    (folder / "fold1/linear").mkdir(parents=True)
    write_table(cell_scores(), folder / "fold1/linear/cell_scores.csv")
    write_table(subsets(), folder / "fold1/linear/subsets.csv")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    results, raw = folder / "results/<em>x", folder / "raw"
    results.mkdir(parents=True)
    raw.mkdir()
    write_cohort(results, raw)
    write_results(results)
    settings = config.validate(config.read_yaml(ROOT / "config.yaml"))
    settings["cohort"]["image_size"] = PX
    names = ["decisions.csv", "scores.csv", "comparisons.csv"]
    names += [f"figures/{name}.png" for name in FIGURES]
    return Run(
        results=results,
        files=[results / name for name in names],
        studies={},
        evidence=[results / f"fold1/linear/{name}.csv" for name in ("cell_scores", "subsets")],
        neutral={"linear": 0.0},
        captions=ROOT / "workflow" / "report",
        raw=raw,
        settings=settings,
        ledger=folder / "ledger.csv",
        models=["linear", "clinical"],
    )


@pytest.fixture(scope="session")
def page(finished_run: Run) -> Path:
    """The report of the small run."""
    path = finished_run.results / "report.html"
    write_report(finished_run, path)
    return path
