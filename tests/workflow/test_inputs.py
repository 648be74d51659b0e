"""Inputs count by their contents, not by their dates; paths of any form reach the rules."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from lymphokit.cohort.raw import locate
from lymphokit.config import read_yaml
from lymphokit.simulation.cohort import simulate
from tests.workflow.conftest import ROOT, Checkout, names_planned

pytestmark = pytest.mark.xdist_group("workflow")

SMALL = {
    "training_patients": 10,
    "test_patients": 2,
    "cells": (1, 2),
    "labelled_cells": 2,
    "cells_per_blood_type": 0,
}


@pytest.fixture(scope="module")
def download(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small download, as a folder."""
    folder = tmp_path_factory.mktemp("download") / "lyon"
    settings = read_yaml(ROOT / "config.yaml")["simulate"]
    simulate(folder, folder.with_name("truth"), **{**settings, **SMALL})
    return folder


def check(checkout: Checkout, raw: Path, *arguments: str) -> set[str]:
    """Run the rule `check` on a download, or plan it; the rules planned."""
    table = f"results/{locate(str(raw), checkout.folder).cohort}/cohort/patients.csv"
    return names_planned(checkout.run(table, *arguments, "--config", f"raw={raw}"))


def test_a_zip_counts_by_its_digest(fresh: Checkout, download: Path) -> None:
    archive = Path(shutil.make_archive(str(fresh.folder / "lyon"), "zip", download))
    check(fresh, archive)
    record = json.loads((fresh.folder / "results" / "lyon" / "source.json").read_text())
    assert (record["path"], len(record["sha256"])) == (str(archive), 64)
    os.utime(archive)
    assert check(fresh, archive, "--dry-run") == set()
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("trainset/notes.csv", "another download")
    os.utime(archive, (1e9, 1e9))
    assert check(fresh, archive, "--dry-run") >= {"unpack", "check"}


@pytest.mark.parametrize("name", ["50% of %s", 'it\'s "so", she said', "a: b; c & d $HOME #1"])
def test_paths_with_unusual_characters_reach_the_rules(
    fresh: Checkout, download: Path, name: str
) -> None:
    raw = fresh.folder / name / "lyon"
    shutil.copytree(download, raw)
    fresh.configure(f"raw: {json.dumps(str(raw))}\n")
    fresh.run("results/lyon/cohort/patients.csv")
    image = next(raw.glob("trainset/*/*.jpg"))
    status = image.stat()
    other = next(path for path in raw.glob("trainset/*/*.jpg") if path != image)
    image.write_bytes(other.read_bytes())
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    planned = names_planned(fresh.run("results/lyon/cohort/patients.csv", "--dry-run"))
    assert planned == {"check"}


def test_links_without_a_target_are_named_and_stop_the_run(fresh: Checkout, download: Path) -> None:
    raw = fresh.folder / "lyon"
    shutil.copytree(download, raw)
    image = next(raw.glob("trainset/*/*.jpg"))
    image.unlink()
    image.symlink_to("gone.jpg")
    (raw / "notes").symlink_to("elsewhere")
    printed = fresh.refusal("results/lyon/cohort/patients.csv", "--config", f"raw={raw}")
    assert image.name in printed
    assert "elsewhere" in printed
    assert "Traceback" not in printed


def test_braces_in_a_path_are_refused_with_a_remedy(fresh: Checkout, download: Path) -> None:
    raw = fresh.folder / "{lyon}"
    shutil.copytree(download, raw)
    printed = fresh.refusal("submission", "--config", f"raw='{raw}'")
    assert "braces" in printed
    assert "Traceback" not in printed
