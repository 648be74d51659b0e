"""Every reader of the package, with a valid input and the mutations of its format."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from lymphokit import config, integrity
from lymphokit.arrays import open_array
from lymphokit.cohort import blood_cells, labelled_cells, raw
from lymphokit.cohort.clinical_table import read_clinical
from lymphokit.cohort.download_search import is_simulated, lookalikes
from lymphokit.cohort.tables import read_cells, read_fold, read_patients, read_predictions
from lymphokit.desk.run_settings import differing_settings
from lymphokit.digest_cache import DigestCache
from lymphokit.errors import CohortError
from lymphokit.features.bank import open_bank, write_bank
from lymphokit.files import read_json
from lymphokit.imaging.artefacts import file_properties
from lymphokit.imaging.cell_set_checks import check_blood_cells, check_labelled_cells
from lymphokit.imaging.check import check_cohort
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.leaderboard.board import boards
from lymphokit.leaderboard.compare import compare
from lymphokit.provenance import file_sha256, folder_digest
from lymphokit.pseudo_labels.state import ADDED_COLUMNS, State, read_state, write_state
from lymphokit.submission.csv_files import read_submission
from lymphokit.submission.ledger import Entry, append, read_ledger
from lymphokit.submission.receipt import lost_submission
from lymphokit.submission.run_folder import write_run
from tests.hostile.mutations import BYTES, Mutation, of_csv, of_json, of_npy, of_npz, of_zip

ROOT = Path(__file__).parents[2]
SIDE, N_CELLS = 16, 12
PATIENTS = [f"P{number}" for number in range(1, 7)]


@dataclass(frozen=True)
class Reader:
    """A reader: `write` makes a valid input in a folder, `read` reads it, `targets` are damaged.

    by_format: the mutations of the format of a target, by its suffix. is_silent: it answers
    instead of raising an error.
    """

    write: Callable[[Path], object]
    read: Callable[[Path], object]
    targets: tuple[str, ...]
    is_silent: bool = False

    def mutations(self, target: str) -> list[Mutation]:
        of_format = BY_SUFFIX.get(Path(target).suffix)
        return [*BYTES, *([of_format] * len(BYTES) if of_format else [])]


BY_SUFFIX: dict[str, Mutation] = {
    ".csv": of_csv,
    ".json": of_json,
    ".npy": of_npy,
    ".npz": of_npz,
    ".zip": of_zip,
}


def picture(seed: int, side: int = SIDE) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(1, 256, (side, side, 3)).astype(np.uint8))


def write_images(folder: Path, names: Mapping[str, int]) -> None:
    for name, seed in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(folder / name)


def clinical_rows() -> str:
    rows = [
        f"{patient},{(-1, 0, 1)[number % 3]},{'MF'[number % 2]},{number + 1}/17/1950,{number + 5}.5"
        for number, patient in enumerate(PATIENTS)
    ]
    return "\n".join(["ID,LABEL,GENDER,DOB,LYMPH_COUNT", *rows]) + "\n"


def write_download(folder: Path) -> None:
    home = folder / "raw"
    home.mkdir()
    (home / "clinical_annotation.csv").write_text(clinical_rows())
    (home / "sample_submission.csv").write_text("ID,LABEL\nP1,0\nP4,0\n")
    for number, patient in enumerate(PATIENTS):
        part = "trainset" if number % 3 else "testset"
        write_images(
            home / part / patient, {f"{image}.jpg": 9 * number + image for image in (1, 2)}
        )


def read_download(folder: Path) -> object:
    folder_digest(folder / "raw", DigestCache(folder / "none.json").sha256)
    is_simulated(folder / "raw")
    raw.is_download(folder / "raw")
    choice = raw.locate(str(folder / "raw"), Path())
    raw.claim(choice, folder / "results")
    return check_cohort(
        folder / "raw", image_size=SIDE, reference_date=date(2025, 7, 1), on_error="stop"
    )


def write_zip(folder: Path) -> None:
    write_download(folder)
    shutil.make_archive(str(folder / "download"), "zip", folder / "raw")
    shutil.rmtree(folder / "raw")


def read_zip(folder: Path) -> object:
    (folder / "data").mkdir()
    (folder / "data" / "mine.zip").symlink_to(folder / "download.zip")
    lookalikes(folder)
    choice = raw.locate(str(folder / "download.zip"), Path())
    raw.claim(choice, folder / "results")
    return raw.unpack(folder / "download.zip", folder / "unpacked")


def read_table_of_clinic(folder: Path) -> None:
    _, faults = read_clinical([folder / "clinical_annotation.csv"], date(2025, 7, 1))
    if faults:
        raise CohortError(faults)


def image_of(suffix: str, **options: Any) -> Reader:
    name = f"1{suffix}"

    def read(folder: Path) -> object:
        file_properties(folder / name)
        return ImageFiles(folder, [name], None)[np.array([0])]

    return Reader(lambda folder: picture(3, 40).save(folder / name, **options), read, (name,))


def write_labelled(folder: Path) -> None:
    write_images(folder, {f"Im00{number}_{number % 2}.tif": number for number in range(8)})


def write_blood(folder: Path) -> None:
    names = [f"{kind}/{number}.png" for kind in ("blast", "ig") for number in (1, 2, 3)]
    write_images(folder, {name: number for number, name in enumerate(names)})


def read_labelled(folder: Path) -> object:
    labelled_cells.list_cells(folder)
    return check_labelled_cells(folder, {"labelled_train": 2, "labelled_validation": 2})


def read_blood(folder: Path) -> object:
    blood_cells.list_cells(folder)
    return check_blood_cells(folder, 0.3)


def write_features(folder: Path) -> None:
    features = np.random.default_rng(0).normal(size=(N_CELLS, 3)).astype(np.float32)
    write_bank(
        folder / "bank.npy",
        [features],
        n_cells=N_CELLS,
        n_features=3,
        fitted_on="nothing of this cohort",
        metadata={"source": "a test"},
    )


def write_pixels(folder: Path) -> None:
    np.save(folder / "raw_128.npy", np.zeros((N_CELLS, 4, 4, 3), np.uint8))


def read_pixels(folder: Path) -> object:
    open_array(folder / "raw_128.npy")
    return open_bank(folder / "raw_128.npy", N_CELLS)


def write_rounds(folder: Path) -> None:
    rows = [(-1, 1, number % 2, "P1", f"{number}.jpg", number, 0.9) for number in range(4)]
    added = pd.DataFrame(rows, columns=list(ADDED_COLUMNS))
    log_odds = np.random.default_rng(1).normal(size=(2, N_CELLS))
    state = State(added, np.array([-1, 0]), log_odds, np.array([0.9, 0.8]))
    write_state(state, folder / "added.csv", folder / "scores.npz")


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


CELLS = "cell,patient,image,path\n" + "".join(
    f"{number},P{number // 2 + 1},{number}.jpg,trainset/P{number // 2 + 1}/{number}.jpg\n"
    for number in range(N_CELLS)
)
TABLE = "patient,part,label,gender,age_years,lymphocytes_giga_per_litre,n_cells\n" + "".join(
    f"{patient},{('test,-1', 'train,0', 'train,1')[number % 3]},M,7{number}.5,8.1,2\n"
    for number, patient in enumerate(PATIENTS)
)
FOLDS = "fold,repeat,patient,part,inner\n" + "".join(
    f"{fold},1,{patient},{('validation,-1', 'train,0', 'train,1')[number % 3]}\n"
    for fold in (1, 2)
    for number, patient in enumerate(PATIENTS)
)
PREDICTIONS = "patient,part,inner,label,probability\n" + "".join(
    f"{patient},{('inner', 'validation', 'test')[number % 3]},-1,{number % 2},0.{number + 1}5\n"
    for number, patient in enumerate(PATIENTS)
)


def write_submissions(folder: Path) -> None:
    for name, labels in (("a.csv", "110100"), ("b.csv", "100110")):
        rows = [f"{patient},{label}\n" for patient, label in zip(PATIENTS, labels, strict=True)]
        (folder / name).write_text("ID,LABEL\n" + "".join(rows))
        values = {each.name: 0.75 if each.type is float else "x" for each in fields(Entry)}
        entry = Entry(**{**values, "file": name, "cohort": "tiny"})  # type: ignore[arg-type]
        append(folder / "ledger.csv", entry)


def write_runs(folder: Path) -> None:
    write_submissions(folder)
    calls = pd.DataFrame({"label": [1, 0, 1, 0, 1, 1], "decision": [1, 0, 1, 1, 1, 1]})
    calls = calls.assign(patient=PATIENTS, part="validation", fold=1, repeat=1, model="stack")
    calls = calls.assign(n_fitted=5, probability=0.5, threshold=0.5)
    (folder / "scores.txt").write_text("model\nstack\n")
    for name in ("a.csv", "b.csv"):
        receipt = {"sha256": file_sha256(folder / name), "blend": "stack", "commit": "none"}
        receipt["config_digest"] = "x"
        settings = {"seed": name, "models": {"clinical": {"C": 1.0}}}
        write_run(folder / name, settings, folder / "scores.txt", calls, receipt)


def read_runs(folder: Path) -> object:
    found = compare([folder / "a.csv", folder / "b.csv"], 0.5)
    return differing_settings(found.candidates)


def read_ledgers(folder: Path) -> object:
    read_ledger(folder / "ledger.csv")
    compare([folder / "a.csv", folder / "b.csv"], 0.5)
    return boards(folder / "ledger.csv", 0.5)


@cache
def settings_text() -> str:
    return str(yaml.safe_dump(config.read_yaml(ROOT / "config.yaml")))


def read_record(folder: Path) -> object:
    (folder / "tiny").mkdir(exist_ok=True)
    choice = raw.RawChoice("results", folder / "tiny", False, "")
    return raw.claim(choice, folder)


def write_record(folder: Path) -> None:
    (folder / "results").mkdir()
    (folder / "tiny").mkdir()
    raw.claim(raw.RawChoice("results", folder / "tiny", False, ""), folder)
    (folder / "receipt.json").write_text(json.dumps({"file": "a.csv", "sha256": "0"}))
    (folder / "digests.json").write_text(json.dumps({"1:2": "abc"}))


def read_states(folder: Path) -> object:
    lost_submission(folder / "receipt.json", folder)
    DigestCache(folder / "digests.json").sha256(ROOT / "Makefile")
    return None


def read_autoencoder(folder: Path) -> object:
    from lymphokit.features.autoencoder import load_autoencoder

    return load_autoencoder(folder / "autoencoder.safetensors")


def write_autoencoder(folder: Path) -> None:
    from lymphokit.features.autoencoder import Autoencoder, save_autoencoder

    save_autoencoder(Autoencoder(latent=64), folder / "autoencoder.safetensors")


def write_weights(folder: Path) -> None:
    import torch

    from lymphokit.features.backbone import load_backbone
    from lymphokit.features.compute import save_weights

    network = load_backbone(NETWORK, weights="none", sha256=None, seed=0).network
    save_weights(network, folder / "weights.safetensors")
    torch.save(network.state_dict(), folder / "saved.pth")


def read_weights(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        from lymphokit.features.backbone import load_backbone

        return load_backbone(NETWORK, weights=str(folder / name), sha256=None, seed=0)

    return read


def write_digests(folder: Path) -> None:
    write_features(folder)
    integrity.write_records([str(folder / "bank.npy")], "backbone", {"cells.csv": None})


NETWORK = "test_resnet.r160_in1k"

READERS: dict[str, Reader] = {
    "config": Reader(
        lambda folder: (folder / "config.yaml").write_text(settings_text()),
        lambda folder: config.check(config.read_yaml(folder / "config.yaml")),
        ("config.yaml",),
    ),
    "clinical table": Reader(
        text("clinical_annotation.csv", clinical_rows()),
        read_table_of_clinic,
        ("clinical_annotation.csv",),
    ),
    "download": Reader(
        write_download,
        read_download,
        (
            *("raw/clinical_annotation.csv", "raw/sample_submission.csv", "raw/trainset/P2/1.jpg"),
            *("raw/trainset", "raw/trainset/P3", "raw/stray", "raw/SIMULATED.txt"),
        ),
    ),
    "zip": Reader(write_zip, read_zip, ("download.zip",)),
    "jpeg": image_of(".jpg"),
    "png": image_of(".png"),
    "tiff": image_of(".tif"),
    "tiff lzw": image_of(".tif", compression="tiff_lzw"),
    "tiff deflate": image_of(".tif", compression="tiff_adobe_deflate"),
    "bmp": image_of(".bmp"),
    "webp": image_of(".webp", lossless=True),
    "labelled cells": Reader(write_labelled, read_labelled, ("Im001_1.tif", "Im009_1.tif", "img")),
    "blood cells": Reader(write_blood, read_blood, ("ig/1.png", "blast", "stray.png")),
    "bank": Reader(
        write_features, lambda folder: open_bank(folder / "bank.npy", N_CELLS), ("bank.npy",)
    ),
    "bank's metadata": Reader(
        write_features, lambda folder: open_bank(folder / "bank.npy", N_CELLS), ("bank.json",)
    ),
    "pixels": Reader(write_pixels, read_pixels, ("raw_128.npy",)),
    "rounds": Reader(
        write_rounds,
        lambda folder: read_state(folder / "added.csv", folder / "scores.npz"),
        ("added.csv", "scores.npz"),
    ),
    "patients": Reader(
        text("patients.csv", TABLE),
        lambda folder: read_patients(folder / "patients.csv"),
        ("patients.csv",),
    ),
    "cells": Reader(
        text("cells.csv", CELLS), lambda folder: read_cells(folder / "cells.csv"), ("cells.csv",)
    ),
    "folds": Reader(
        text("folds.csv", FOLDS), lambda folder: read_fold(folder / "folds.csv", 2), ("folds.csv",)
    ),
    "predictions": Reader(
        text("predictions.csv", PREDICTIONS),
        lambda folder: read_predictions([folder / "predictions.csv"], ["stack"]),
        ("predictions.csv",),
    ),
    "submission": Reader(
        write_submissions, lambda folder: read_submission(folder / "a.csv"), ("a.csv",)
    ),
    "ledger": Reader(write_submissions, read_ledgers, ("ledger.csv", "a.csv")),
    "run folder": Reader(
        write_runs, read_runs, ("a/config.yaml", "a/oof.csv", "a/receipt.json", "b/oof.csv")
    ),
    "record": Reader(write_record, read_record, ("results/source.json",)),
    "json": Reader(
        write_record,
        lambda folder: read_json(folder / "receipt.json"),
        ("receipt.json",),
    ),
    "caches": Reader(write_record, read_states, ("receipt.json", "digests.json"), is_silent=True),
    "digests": Reader(
        write_digests,
        lambda folder: integrity.verify([str(folder / "bank.npy")]),
        (".digests/bank.npy.json", "bank.npy"),
    ),
    "safetensors": Reader(
        write_weights, read_weights("weights.safetensors"), ("weights.safetensors",)
    ),
    "pth": Reader(write_weights, read_weights("saved.pth"), ("saved.pth",)),
    "autoencoder": Reader(write_autoencoder, read_autoencoder, ("autoencoder.safetensors",)),
}
