"""The command: what it says and with which code it ends."""

from pathlib import Path

import pytest
import yaml

from lymphokit.cli import main
from lymphokit.config import merge, read_yaml

ROOT = Path(__file__).parents[1]
SMALL = {
    "training_patients": 10,
    "test_patients": 2,
    "cells": [1, 2],
    "labelled_cells": 2,
    "cells_per_blood_type": 0,
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    """config.yaml with the smallest cohort there can be."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(merge(read_yaml(ROOT / "config.yaml"), {"simulate": SMALL})))
    return str(path)


def test_a_simulated_cohort_passes_the_check(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / "drawn"
    assert main(["simulate", str(cohort), "--seed", "1", "--config", config]) == 0
    assert main(["check", str(cohort), "--config", config]) == 0
    assert "10 labelled patients" in capsys.readouterr().out


def test_a_damaged_cohort_is_told_by_patient_and_file(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = tmp_path / "drawn"
    main(["simulate", str(cohort), "--config", config])
    image = next((cohort / "trainset").glob("*/*.jpg"))
    image.write_bytes(image.read_bytes()[:500])
    assert main(["check", str(cohort), "--config", config]) == 1
    told = capsys.readouterr().err
    assert image.parent.name in told
    assert f"{image.name}  truncated JPEG" in told


def test_a_folder_that_exists_is_not_drawn_into(
    tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(tmp_path), "--config", config]) == 1
    assert "name a new folder" in capsys.readouterr().err


def test_the_doctor_says_which_data_would_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    assert "raw data:" in capsys.readouterr().out


def test_a_missing_configuration_is_told_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "gone.yaml")
    assert main(["check", str(tmp_path), "--config", missing]) == 1
    assert "--config" in capsys.readouterr().err
