"""What pages tell a reader to write down works: settings, a model, the layout of a competition."""

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from lymphokit import config
from lymphokit.imaging.check import check_cohort
from lymphokit.models import registry
from tests.bags.toys import patients
from tests.docs.pages import PAGES, ROOT, blocks, name

HOW_TO = ROOT / "docs" / "howto"
MODEL = "nearest.py"
SETTINGS = [(page, text) for page in PAGES for text in blocks(page, "yaml")]


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = blocks(HOW_TO / "model.md", "python")
    Path(MODEL).write_text(text)


def settings(text: str) -> dict[str, object]:
    return config.merge(config.read_yaml(ROOT / "config.yaml"), yaml.safe_load(text))


@pytest.mark.parametrize(("page", "text"), SETTINGS, ids=[name(page) for page, _ in SETTINGS])
def test_settings_are_accepted(page: Path, text: str) -> None:
    config.check(settings(text))


def test_the_model_finds_the_patients_with_abnormal_cells() -> None:
    train, test = patients(60, seed=1), patients(40, seed=2)
    block = {"kind": f"{MODEL}:nearest", "enabled": True, "features": "morphology"}
    model = registry.create(block, seed=1).fit(train.bags, train.labels, train.clinical)
    probabilities = model.predict_proba(test.bags, test.clinical)
    tumoral = test.labels == 1
    assert probabilities[tumoral].mean() > probabilities[~tumoral].mean() + 0.2


def test_a_translated_competition_has_no_fault() -> None:
    page = HOW_TO / "competition.md"
    _draw_cases(Path("data/other"), 24)
    (code,) = blocks(page, "python")
    Path("convert.py").write_text(code)
    runpy.run_path("convert.py")
    cohort = config.check(settings(blocks(page, "yaml")[0])).cohort
    found = check_cohort(Path("data/raw/tiles"), **cohort.model_dump())
    assert found.patients["label"].value_counts().to_dict() == {0: 8, 1: 8, -1: 8}
    assert found.submission_header == ("id", "malignant")


def _draw_cases(home: Path, n: int) -> None:
    """Cases of a competition with other classes, columns and pictures; a third is to predict."""
    rng = np.random.default_rng(0)
    home.mkdir(parents=True)
    with (home / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["case", "diagnosis", "sex", "age", "ki67"])
        for number in range(n):
            diagnosis = ("benign", "malignant", "")[number % 3]
            sex = ("female", "male")[number % 2]
            table.writerow([f"case_{number}", diagnosis, sex, 40 + number, rng.integers(1, 40)])
            folder = home / "tiles" / f"case_{number}"
            folder.mkdir(parents=True)
            for tile in range(3):
                pixels = rng.integers(0, 255, (96, 96, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{tile}.png")
