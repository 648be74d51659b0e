"""A patient added to the raw data: the images of the others are not computed again."""

import re
import shutil
from pathlib import Path

import pytest

from lymphokit.config import read_yaml
from lymphokit.simulation.cohort import simulate
from tests.workflow.conftest import ROOT, Checkout

pytestmark = pytest.mark.xdist_group("workflow")

JOBS = ("pixels", "morphology", "backbone_cells")
FILES = (
    *("imaging/raw_128.npy", "imaging/segmented_128.npy", "imaging/masks.npy"),
    *("features/morphology.npy", "features/cells.npy"),
)
TARGETS = tuple(f"results/lyon/{file}" for file in FILES)


@pytest.fixture
def growing(fresh: Checkout) -> Checkout:
    """A checkout with a download of which one patient has not come yet."""
    settings = read_yaml(ROOT / "config.yaml")["simulate"]
    settings |= {"training_patients": 9, "test_patients": 2, "cells": (2, 4)}
    settings |= {"labelled_cells": 2, "cells_per_blood_type": 0}
    simulate(fresh.folder / "lyon", fresh.folder / "truth", **settings)
    fresh.configure(
        """
        raw: lyon
        backbones:
          cells: {timm: test_resnet.r160_in1k, weights: none, sha256: null, image: raw,
            normalise: red_cells, crop: null, px: 64, stages: [-1], pool: [cell], batch_size: 4,
            precision: auto}
        """
    )
    return fresh


def move_patient(growing: Checkout, there: Path) -> int:
    """Move the second training patient out of the download; how many images that are."""
    raw = growing.folder / "lyon"
    folder = sorted((raw / "trainset").iterdir())[1]
    shutil.copytree(raw, there)
    for table in raw.rglob("*.csv"):
        rows = table.read_text().splitlines(keepends=True)
        table.write_text("".join(row for row in rows if folder.name not in row))
    shutil.rmtree(folder)
    return len(list((there / "trainset" / folder.name).iterdir()))


def computed(growing: Checkout) -> list[tuple[int, int]]:
    """How many images each job computed, and of how many."""
    texts = [(growing.folder / f"logs/lyon/{job}.log").read_text() for job in JOBS]
    found = [re.search(r"([\d,]+) of ([\d,]+) \w+ \w+, the others", text) for text in texts]
    return [(int(each[1]), int(each[2])) for each in found if each]


def contents(growing: Checkout) -> list[bytes]:
    return [(growing.folder / target).read_bytes() for target in TARGETS]


def test_an_added_patient_alone_is_computed_and_the_files_are_those_of_a_full_run(
    growing: Checkout, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    n_added = move_patient(growing, whole)
    growing.run(*TARGETS)
    n_before = computed(growing)[0][1]
    assert computed(growing) == [(n_before, n_before)] * len(JOBS)
    shutil.rmtree(growing.folder / "lyon")
    shutil.copytree(whole, growing.folder / "lyon")
    growing.run(*TARGETS)
    assert computed(growing) == [(n_added, n_before + n_added)] * len(JOBS)
    grown = contents(growing)
    for kept in growing.folder.glob("results/lyon/*/.rows"):
        shutil.rmtree(kept)
    growing.run(*TARGETS, "--forceall")
    assert computed(growing) == [(n_before + n_added, n_before + n_added)] * len(JOBS)
    assert contents(growing) == grown
