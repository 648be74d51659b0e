"""Segmentation against the truth of simulated cells, which no real image has."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lymphokit.imaging.cell_mask import cell_mask
from lymphokit.imaging.read import read_image
from lymphokit.imaging.segment import Mask, segment
from lymphokit.imaging.smear_colours import SmearColours
from lymphokit.simulation.cohort import simulate

CYTOPLASM, NUCLEUS = 128, 255
MASK = {"reach_px": 25, "bluer": 14, "lighter": 30}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated cohort in `raw`, its masks in `truth`."""
    folder = tmp_path_factory.mktemp("cohort")
    simulate(
        folder / "raw",
        folder / "truth",
        seed=3,
        training_patients=12,
        test_patients=2,
        tumoral_share=0.5,
        cells=[4, 4],
        abnormal_share=[0.3, 0.7],
        signal=1.0,
        stain_signal=0.0,
        labelled_cells=2,
        cells_per_blood_type=0,
    )
    return folder


def overlaps(cohort: Path, dilation_px: int, faintest: int) -> list[float]:
    """Intersection over union of each cell's mask with the truth from this grey level on."""
    found = []
    for path in sorted((cohort / "raw").glob("*set/*/*.jpg")):
        image = read_image(path, 224)
        mask: Mask = segment(image, closing_px=7, dilation_px=dilation_px)
        drawn = cohort / "truth" / "masks" / path.parent.name / f"{path.stem}.png"
        truth = cv2.imread(str(drawn), cv2.IMREAD_GRAYSCALE) >= faintest
        found.append(float((mask & truth).sum() / (mask | truth).sum()))
    return found


def test_the_nucleus_is_found_in_nearly_every_cell(cohort: Path) -> None:
    found = overlaps(cohort, dilation_px=0, faintest=NUCLEUS)
    assert np.mean(found) > 0.85
    assert np.quantile(found, 0.1) > 0.65


def test_the_dilation_recovers_much_of_the_pale_cytoplasm(cohort: Path) -> None:
    with_rim = np.mean(overlaps(cohort, dilation_px=5, faintest=CYTOPLASM))
    without = np.mean(overlaps(cohort, dilation_px=0, faintest=CYTOPLASM))
    assert with_rim > 0.7
    assert with_rim > without


def test_the_mask_of_the_whole_cell_is_closer_than_the_dilated_nucleus(cohort: Path) -> None:
    found = []
    for folder in sorted((cohort / "raw").glob("*set/*/")):
        images = {path.stem: read_image(path, 224) for path in sorted(folder.glob("*.jpg"))}
        colours = SmearColours.from_images(images.values())
        for name, image in images.items():
            drawn = cohort / "truth" / "masks" / folder.name / f"{name}.png"
            truth = cv2.imread(str(drawn), cv2.IMREAD_GRAYSCALE) >= CYTOPLASM
            mask = cell_mask(image, colours, **MASK)
            found.append(float((mask & truth).sum() / (mask | truth).sum()))
    assert np.mean(found) > np.mean(overlaps(cohort, dilation_px=5, faintest=CYTOPLASM)) + 0.03
    assert np.mean(found) > 0.8
