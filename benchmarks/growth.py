"""Growth: peak memory of the steps that read all cells, at n and at 4 n cells; their constants.

    python benchmarks/growth.py [--cells 800]

Each step runs in a process of its own, on one core, on drawn images and drawn features: first with
n cells, then with 4 n in as many patients. Printed are the peak of resident memory of both, their
ratio, and CPU seconds for 1,000 cells, from the difference, so that starts do not count. The steps
that see images have an eighth as many. The last column multiplies it: what 10,000 patients of
1,000 cells would take on one core. Two steps compare all pairs of cells; their seconds
come first. Last, the worst ratio.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from kept_memory import KEPT

PATIENTS, SIDE, WIDE, DEEP, NARROW = 60, 224, 8192, 1280, 160
GROWTH, LIMIT, PART = 4, 1.2, 8
PLANNED = 10_000 * 1_000  # cells
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """Peak memory in MB and CPU seconds of a step."""

    megabytes: float
    seconds: float


def draw(folder: Path, n: int) -> None:
    """Image files, a bank of pixels, and banks of features, in parts."""
    from lymphokit.imaging.pixels import SIDE as SMALL
    from lymphokit.imaging.rows import RowWriter

    rng = np.random.default_rng(n)
    for width in (WIDE, DEEP, NARROW):
        with RowWriter(folder / f"{width}.npy", (n, width), np.float32) as rows:
            axes = rng.normal(size=(30, width))
            for start in range(0, n, 100):
                factors = rng.normal(size=(min(100, n - start), 30)) * np.geomspace(8, 1, 30)
                rows.append(factors @ axes + rng.normal(size=(len(factors), width)))
    with RowWriter(folder / "pixels.npy", (n // PART, SMALL, SMALL, 3), np.uint8) as pixels:
        for _ in range(n // PART):
            noise = rng.integers(0, 60, (SMALL, SMALL, 3), dtype=np.uint8)
            pixels.append((noise + np.uint8(120))[None])


def draw_images(folder: Path) -> None:
    """A few drawn images of cells."""
    from lymphokit.config import read_yaml
    from lymphokit.progress import quiet
    from lymphokit.simulation.cohort import simulate

    settings = read_yaml(ROOT / "config.yaml")["simulate"]
    settings |= {"training_patients": 6, "test_patients": 2, "cells": (5, 5)}
    with quiet():
        simulate(
            folder / "raw",
            folder / "truth",
            **settings | {"labelled_cells": 2, "cells_per_blood_type": 0},
        )


def images_of(folder: Path, n: int) -> Any:
    """So many images: the drawn ones again and again."""
    from lymphokit.imaging.image_files import ImageFiles

    raw = folder.parent / "raw"
    drawn = sorted(str(path.relative_to(raw)) for path in raw.glob("*set/*/*"))
    return ImageFiles(raw, [drawn[i % len(drawn)] for i in range(n)], SIDE)


def segment(folder: Path, n: int) -> None:
    from lymphokit.imaging.pixels import write_pixel_banks
    from lymphokit.keyed_rows import row_keys
    from lymphokit.whole_cells.whole_cell import segmenter_of

    images = images_of(folder, n // PART)
    write_pixel_banks(
        images.subset,
        row_keys({}, images.files),
        raw=folder / "raw_128.npy",
        segmented=folder / "segmented_128.npy",
        masks=folder / "masks.npy",
        image_size=SIDE,
        segmenter=segmenter_of("cell", closing_px=7, dilation_px=5),
        threads=1,
    )


def measure(folder: Path, n: int) -> None:
    from lymphokit.features.bank import write_keyed_bank
    from lymphokit.features.morphology import NAMES, measure_cells
    from lymphokit.keyed_rows import row_keys

    images = images_of(folder, n // PART)
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[60:160, 60:160] = True
    write_keyed_bank(
        folder / "morphology.npy",
        row_keys({}, images.files),
        lambda at: measure_cells(images.subset(at), [mask] * len(at), rim_px=0),
        n_features=len(NAMES),
        metadata={"source": "drawn"},
    )


def encode(folder: Path, n: int) -> None:
    from lymphokit.features.backbone import load_backbone
    from lymphokit.features.bank import write_keyed_bank
    from lymphokit.features.full_batches import encode_in_full_batches
    from lymphokit.imaging.cell_views import CohortCells
    from lymphokit.keyed_rows import row_keys

    images = images_of(folder, n // PART)
    settings = {"batch_size": 16, "stages": None, "normalise": "none", "crop": None, "px": None}
    backbone = load_backbone("test_resnet.r160_in1k", weights="none", sha256=None, seed=0)
    cells = CohortCells(images, settings | {"pool": ["image"]})
    write_keyed_bank(
        folder / "network.npy",
        row_keys({}, images.files),
        lambda at: encode_in_full_batches(backbone, cells.views(at), cells.settings),
        n_features=backbone.n_features,
        metadata={"source": "drawn"},
    )


def train(folder: Path, n: int) -> None:  # noqa: ARG001
    import torch

    from lymphokit.features.train_autoencoder import train_autoencoder
    from lymphokit.imaging.pixels import open_pixels

    train_autoencoder(
        open_pixels(folder / "pixels.npy"),
        latent=4096,
        epochs=1,
        batch_size=32,
        learning_rate=1e-3,
        flips=0.5,
        precision="float32",
        seed=0,
        threads=1,
        device=torch.device("cpu"),
        checkpoint=folder / "checkpoint",
        code="",
    )


def latents(folder: Path, n: int) -> None:
    import torch

    from lymphokit.features.autoencoder import Autoencoder
    from lymphokit.features.autoencoder import encode as encode_pixels
    from lymphokit.features.bank import write_bank
    from lymphokit.imaging.pixels import open_pixels

    pixels = open_pixels(folder / "pixels.npy")
    cpu = torch.device("cpu")
    settings = {"batch_size": 32, "precision": "float32", "threads": 1, "device": cpu}
    write_bank(
        folder / "latents.npy",
        encode_pixels(Autoencoder(latent=WIDE), pixels, **settings),
        n_cells=n // PART,
        n_features=WIDE,
        fitted_on="all images, without labels",
        metadata={"source": "drawn"},
    )


def duplicates(folder: Path, n: int) -> None:  # noqa: ARG001
    from lymphokit.imaging.duplicates import find_duplicates
    from lymphokit.imaging.pixels import open_pixels

    find_duplicates(open_pixels(folder / "pixels.npy"))


def head(folder: Path, n: int) -> None:
    from lymphokit.arrays import open_array
    from lymphokit.pseudo_labels.head_learner import HeadLearner
    from lymphokit.pseudo_labels.learner import LabelledSplit

    features = open_array(folder / f"{DEEP}.npy")
    nothing = np.empty(0, dtype=np.int64)
    split = LabelledSplit(nothing, nothing.astype(np.bool_))
    learner = HeadLearner(features, np.empty((0, DEEP), dtype=np.float32), split, ridge=0.01)
    cells = np.arange(0, n, n // 200)
    learner.fit_and_score(cells, np.arange(len(cells)) % 2, with_labelled=False, seed=0)


def fit(name: str, width: int) -> Callable[[Path, int], None]:
    """A step that fits a model of config.yaml and predicts with it."""

    def step(folder: Path, n: int) -> None:
        from lymphokit.arrays import open_array
        from lymphokit.bags.packed import Bags, Clinical
        from lymphokit.config import read_yaml
        from lymphokit.models.registry import create

        block = read_yaml(ROOT / "config.yaml")["models"][name]
        if "max_epochs" in block:
            block |= {"max_epochs": 1, "members": 1}
        rng = np.random.default_rng(1)
        offsets = np.linspace(0, n, PATIENTS + 1).astype(np.int64)
        ids = tuple(map(str, range(PATIENTS)))
        everyone = Bags(open_array(folder / f"{width}.npy"), offsets, ids)
        labels = np.arange(PATIENTS) % 2
        clinical = Clinical(rng.uniform(40, 80, PATIENTS), rng.uniform(4, 90, PATIENTS))
        training = np.flatnonzero(np.arange(PATIENTS) % 5)
        model = create(block, seed=0)
        model.fit(everyone.take(training), labels[training], clinical.take(training))
        model.predict_proba(everyone, clinical)
        if hasattr(model, "cell_scores"):
            model.cell_scores(everyone)

    return step


STEPS: dict[str, Callable[[Path, int], None]] = {
    "segmentation": segment,
    "morphology": measure,
    "network": encode,
    "autoencoder, an epoch": train,
    "autoencoder, latents": latents,
    "duplicates": duplicates,
    "round, a head": head,
    "mi_svm": fit("mi_svm", WIDE),
    "mi_svm_xgb": fit("mi_svm_xgb", WIDE),
    "d_mil_tuned, an epoch": fit("d_mil_tuned", WIDE),
    "bag_kernel": fit("bag_kernel", NARROW),
    "cell_types": fit("cell_types", NARROW),
    "pooled": fit("pooled", WIDE),
    "one_class": fit("one_class", WIDE),
}
ON_IMAGES = tuple(STEPS)[:6]


def run(step: str, folder: Path, n: int) -> None:
    """Run a step in this process and print its cost."""
    began = time.process_time()
    STEPS[step](folder, n)
    seconds = time.process_time() - began
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps([peak, seconds]))


def cost_of(step: str, folder: Path, n: int) -> Cost:
    """The cost of a step in a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder), "--cells", str(n)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, **KEPT}  # as of the workflow's jobs
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{step}: {done.stderr[-2000:]}")
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


def compare(n: int, steps: list[str]) -> str:
    """Measure all steps at both sizes; the line with the worst ratio."""
    names = ["step", "MB", f"MB at {GROWTH}x", "ratio", "s / 1,000 cells", "core-days"]
    table = Table(*names)
    worst = (0.0, "")
    with tempfile.TemporaryDirectory() as name:
        folders = {size: Path(name) / str(size) for size in (n, GROWTH * n)}
        draw_images(Path(name))
        for size, folder in folders.items():
            folder.mkdir()
            draw(folder, size)
        for step in steps:
            small, large = (cost_of(step, folder, size) for size, folder in folders.items())
            added = (GROWTH - 1) * n / (PART if step in ON_IMAGES else 1)
            seconds = max(large.seconds - small.seconds, 0) / added
            ratio = large.megabytes / small.megabytes
            worst = max(worst, (ratio, step))
            planned = PLANNED * seconds / 86400
            values = (small.megabytes, large.megabytes, ratio, 1000 * seconds, planned)
            digits = (0, 0, 2, 2, 1)
            table.add_row(step, *(f"{v:,.{k}f}" for v, k in zip(values, digits, strict=True)))
    Console(width=100).print(table)
    what = f"RATIO peak memory at {GROWTH}x the images, worst of {len(steps)} steps ({worst[1]})"
    return f"{what}: {worst[0]:.2f}x (at most {LIMIT}x)"


def pairs(n: int = 16_000) -> None:
    """Print CPU seconds of the two steps that compare all pairs of cells."""
    from lymphokit.bags.packed import Bags, Clinical
    from lymphokit.config import read_yaml
    from lymphokit.imaging.duplicates import find_duplicates
    from lymphokit.models.registry import create
    from lymphokit.progress import quiet

    rng = np.random.default_rng(0)
    cells = rng.normal(size=(n, NARROW)).astype(np.float32)
    images = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
    block = read_yaml(ROOT / "config.yaml")["models"]["bag_kernel"]
    labels = np.arange(PATIENTS) % 2
    clinical = Clinical(np.full(PATIENTS, 50.0), np.full(PATIENTS, 9.0))

    def fit_kernel(size: int) -> None:
        offsets = np.linspace(0, size, PATIENTS + 1).astype(np.int64)
        bags = Bags(cells[:size], offsets, ("",) * PATIENTS)
        create(block, seed=0).fit(bags, labels, clinical)

    def compare_images(size: int) -> None:
        with quiet():
            find_duplicates(images[:size])

    steps = {"bag_kernel, a fit": (fit_kernel, 1.0), "duplicates": (compare_images, 0.5)}
    for name, (step, share) in steps.items():
        step(1000)  # imports
        began = time.process_time()
        step(n)
        seconds = (time.process_time() - began) / (share * n**2) * 1e9
        print(f"{name}: {seconds:.1f} s for a thousand million pairs of {n:,} cells")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=800)
    parser.add_argument("--step", choices=STEPS)
    parser.add_argument("--only", choices=STEPS, nargs="+", default=list(STEPS))
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.step:
        run(arguments.step, arguments.folder, arguments.cells)
    else:
        with threadpool_limits(1):
            pairs()
        print(compare(arguments.cells, arguments.only))
