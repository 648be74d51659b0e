"""What bfloat16 does to scores: models of a finished run, on features in either precision.

    python benchmarks/precision.py results/<cohort> --raw <folder of the download> \\
        [--models cell_types bag_kernel d_mil_tuned] [--seeds 5]

For each model whose bank is a network's: the features of all cells are computed anew in float32 and
in bfloat16, and every fold is fitted on both, with so many seeds. A model has its settings of the
run. Prints the AUC out of fold, its standard deviation over seeds, and last what precision moves
beside that. Models without random numbers have no spread.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lymphokit.arrays import RowReader
from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.tables import read_cells, read_fold, read_patients, read_table
from lymphokit.evaluation.out_of_fold import fit_training_part
from lymphokit.features.backbone import load_backbone
from lymphokit.features.full_batches import encode_in_full_batches
from lymphokit.features.inference import for_inference
from lymphokit.files import read_json
from lymphokit.imaging.cell_views import CohortCells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.smear_colours import colours_by_patient
from lymphokit.models.registry import create
from lymphokit.progress import quiet, track
from lymphokit.settings import needs_masks

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Run:
    """A finished run: its folder under results/, and its raw images."""

    folder: Path
    raw: Path

    def record(self, model: str) -> dict[str, Any]:
        """What the fit of a model in the first fold recorded."""
        record: dict[str, Any] = read_json(self.folder / "fold1" / model / "record.json")
        return record


def features(run: Run, about: dict[str, Any], precision: str) -> NDArray[np.float32]:
    """The bank of these settings, computed anew in a precision."""
    origin = {key: about[key] for key in ("weights", "sha256")}
    backbone = for_inference(load_backbone(about["timm"], **origin, seed=0), precision)
    table = read_cells(run.folder / "cohort" / "cells.csv")
    images = ImageFiles(run.raw, table["path"].tolist(), None)
    colours, masks = None, None
    if needs_masks(about):
        of_patient = colours_by_patient(read_table(run.folder / "imaging" / "smear_colours.csv"))
        colours = table["patient"].map(of_patient.__getitem__).tolist()
        masks = RowReader(run.folder / "imaging" / "cell_masks.npy")
    cells = CohortCells(images, about, cell_masks=masks, colours=colours)
    views = track(cells.views(np.arange(len(table))), precision, len(table))
    return np.concatenate(list(encode_in_full_batches(backbone, views, about)))


def predictions(
    run: Run, settings: dict[str, Any], bank: NDArray[np.float32], seed: int
) -> pd.DataFrame:
    """Out-of-fold predictions: `label` and `probability` of each training patient."""
    patients = read_patients(run.folder / "cohort" / "patients.csv")
    bags, clinical, labels = bags_of(patients, bank), clinical_of(patients), labels_of(patients)
    folds = run.folder / "folds.csv"
    found = []
    for number in sorted(read_table(folds)["fold"].unique()):
        fold = read_fold(folds, number)
        with quiet():
            model = fit_training_part(
                lambda seed: create(settings, seed=seed), bags, labels, clinical, fold, seed
            )
        held_out = fold.loc[fold["part"] == "validation", "patient"]
        rows = np.flatnonzero(np.isin(bags.ids, held_out))
        probability = model.predict_proba(bags.take(rows), clinical.take(rows))
        found.append(pd.DataFrame({"label": labels[rows], "probability": probability}))
    return pd.concat(found)


def compare(run: Run, model: str, banks: dict[str, NDArray[np.float32]], seeds: int) -> str:
    """Print the scores of a model; the line with the difference beside the spread."""
    settings = run.record(model)["settings"]
    scores: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    apart = 0.0
    for seed in range(1, seeds + 1):
        both = {name: predictions(run, settings, bank, seed) for name, bank in banks.items()}
        for name, rows in both.items():
            scores[name].append(roc_auc_score(rows["label"], rows["probability"]))
        exact, rounded = (both[name]["probability"].to_numpy() for name in PRECISIONS)
        apart = max(apart, float(np.abs(exact - rounded).max()))
    for name, values in scores.items():
        print(f"{model}, {name}: AUC {np.mean(values):.4f}, between seeds {np.std(values):.4f}")
    moved = np.mean(scores["bfloat16"]) - np.mean(scores["float32"])
    return (
        f"{model}: bfloat16 moves the AUC by {moved:+.4f}, seeds by {np.std(scores['float32']):.4f}"
        f" (standard deviation of {seeds}); a probability by at most {apart:.3f}"
    )


def main() -> None:
    """Compare the models that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["cell_types", "bag_kernel", "d_mil_tuned"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    run = Run(arguments.folder, arguments.raw)
    banks: dict[str, dict[str, NDArray[np.float32]]] = {}
    lines = []
    for model in arguments.models:
        record = run.record(model)
        name = record["settings"]["features"]
        if name not in banks:
            banks[name] = {each: features(run, record["features"], each) for each in PRECISIONS}
        lines.append(compare(run, model, banks[name], arguments.seeds))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
