"""The simulated cohort: patients with bags of drawn smears, in the layout of the competition.

It includes two small sets of single cells; the ground truth is written to a separate folder.
Everything follows from the seed: a patient from (seed, patient number), an image from (seed,
patient number, image number), so that an image depends on neither the order nor the number of
others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.cohort.download_search import SET_TABLES, SIMULATED_NOTE, TABLE
from lymphokit.cohort.layout import SAMPLE, SETS, Part
from lymphokit.cohort.raw import BLOOD, LABELLED
from lymphokit.errors import ConfigError
from lymphokit.progress import track
from lymphokit.simulation.cell_kinds import Kind, draw_lymphocyte, draw_population
from lymphokit.simulation.cell_sets import write_blood_cells, write_image, write_labelled_cells
from lymphokit.simulation.smear import Pixels, draw_slide, photograph

_IMAGE_SIZE = (224, 224)
# Streams of random numbers under one seed: [seed, stream, ...]. Numpy pads a list with zeros, so
# lists of different lengths must not share a stream.
_ENROLMENT, _ATTRIBUTES, _SLIDE, _IMAGE, _LABELLED, _BLOOD = range(6)
_DASHED_DATES = 0.13  # share of birth dates written day first, as in the competition's table
_QUARTERS = (0, 0.25, 0.5, 0.75, 1)
_BIRTH_YEARS = {  # at these quantiles of the reactive (0) and the tumoral (1) patients
    0: (1925, 1947, 1963, 1979, 1998),
    1: (1922, 1937, 1948, 1956, 1975),
}
_EARLY_SHARE = 0.45  # of the tumoral patients: their count is still among the reactive ones
_HIGHEST_COUNT = 295.0


@dataclass(frozen=True)
class Design:
    """Parameters of a cohort; see `simulate`."""

    seed: int
    tumoral_share: float
    cells: tuple[int, int]
    abnormal_share: tuple[float, float]
    signal: float
    stain_signal: float


@dataclass(frozen=True)
class Patient:
    """A patient before anything is drawn; the label is the true one in both parts."""

    number: int
    part: Part
    label: int

    @property
    def name(self) -> str:
        """The id in the tables, and the name of the folder; no id of the competition's form."""
        return f"SIM{self.number:03d}"


@dataclass(frozen=True)
class Bag:
    """The images of a patient, their masks and kinds, and the expected share of abnormal ones."""

    images: list[Pixels]
    masks: list[Pixels]
    kinds: list[Kind]
    abnormal_share: float


def simulate(
    root: Path,
    truth: Path,
    *,
    seed: int,
    training_patients: int,
    test_patients: int,
    tumoral_share: float,
    cells: Sequence[int],
    abnormal_share: Sequence[float],
    signal: float,
    stain_signal: float,
    labelled_cells: int,
    cells_per_blood_type: int,
) -> None:
    """Draw a cohort in Kaggle's layout below `root`, and its ground truth below `truth`.

    cells, abnormal_share: least and most, uniform over patients. signal: 0 (the labels are
    independent of cells, ages and counts) to 1; with abnormal_share [0, 0] ages and counts alone
    have it. stain_signal: 0 (light and stain of the slides are independent of the label) to 1 (two
    laboratories, one for each label), so that a test of staining has something to find.
    labelled_cells: images in root/labelled_cells (ALL-IDB2's names, the first half blasts);
    cells_per_blood_type: in root/blood_cells (PBC's folders). truth holds patients.csv (patient,
    part, label, abnormal_share), cells.csv (patient, image, kind) and masks/<patient>/<image>.png
    (0 background, 128 cytoplasm, 255 nucleus).
    The order of rows, the format of dates and the number of images do not depend on the label.
    Raises ConfigError where a folder lies in the other, FileExistsError where images exist.
    Departs: ages and counts overlap more than in the report, so that the images are needed.
    """
    _require_separate(root, truth)
    (fewest, most), (lowest, highest) = cells, abnormal_share
    shares = lowest, highest
    design = Design(seed, tumoral_share, (fewest, most), shares, signal, stain_signal)
    patients = enrol(seed, training_patients, test_patients, tumoral_share)
    rows, known = [], []
    seen: list[tuple[str, str, Kind]] = []
    for patient in track(patients, "drawing patients"):
        bag = draw_bag(patient, design)
        rows.append(draw_attributes(patient, design))
        known.append((patient.name, patient.part, patient.label, round(bag.abnormal_share, 4)))
        seen.extend(_write_bag(root, truth, patient, bag))
    _write_tables(root, pd.DataFrame(rows))
    _write_truth(truth / "patients.csv", "patient part label abnormal_share", known)
    _write_truth(truth / "cells.csv", "patient image kind", seen)
    write_labelled_cells(root / LABELLED, labelled_cells, (seed, _LABELLED), signal)
    write_blood_cells(root / BLOOD, cells_per_blood_type, (seed, _BLOOD))


def _require_separate(root: Path, truth: Path) -> None:
    cohort, apart = root.resolve(), truth.resolve()
    if apart.is_relative_to(cohort) or cohort.is_relative_to(apart):
        raise ConfigError(
            f"the cohort {root} and its truth {truth} lie in one another; "
            "name two separate folders, so that no model can read the truth"
        )


def enrol(seed: int, training: int, test: int, tumoral_share: float) -> list[Patient]:
    """Draw patients whose order and numbers are independent of part and label.

    Each part has the tumoral share, to the nearest patient.
    """
    rng = np.random.default_rng([seed, _ENROLMENT])
    places: list[tuple[Part, int]] = []
    parts: tuple[tuple[Part, int], ...] = (("train", training), ("test", test))
    for part, size in parts:
        tumoral = round(tumoral_share * size)
        places += [(part, int(place < tumoral)) for place in range(size)]
    numbers = rng.permutation(len(places)).tolist()
    patients = [Patient(number, *place) for number, place in zip(numbers, places, strict=True)]
    return [patients[place] for place in rng.permutation(len(patients))]


def draw_attributes(patient: Patient, design: Design) -> dict[str, str | int | float]:
    """Draw a row of the raw table: ID, LABEL (-1 in the test set), GENDER, DOB, LYMPH_COUNT.

    Age and count follow the label's group with probability `signal`, else a random group; given
    the group they are independent of each other and of the images.
    Source: report 3.1 (younger patients are rather reactive; counts above 8 are malignant).
    """
    rng = np.random.default_rng([design.seed, _ATTRIBUTES, patient.number])
    random_group = int(rng.random() < design.tumoral_share)
    group = patient.label if rng.random() < design.signal else random_group
    year = int(np.interp(rng.random(), _QUARTERS, _BIRTH_YEARS[group]))
    month, day = int(rng.integers(1, 13)), int(rng.integers(1, 29))
    is_dashed = rng.random() < _DASHED_DATES
    return {
        "ID": patient.name,
        "LABEL": patient.label if patient.part == "train" else -1,
        "GENDER": "MF"[int(rng.integers(2))],
        "DOB": f"{day:02d}-{month:02d}-{year}" if is_dashed else f"{month}/{day}/{year}",
        "LYMPH_COUNT": round(_draw_count(rng, group), 2),
    }


def _draw_count(rng: np.random.Generator, group: int) -> float:
    """Draw lymphocytes in 10^9/L: reactive 4 to 7.9; tumoral 2.3 to 7.9, or skewed, 8 to 295."""
    if group == 0:
        return 4.0 + 3.9 * float(rng.beta(1.0, 2.2))
    if rng.random() < _EARLY_SHARE:
        return 2.3 + 5.6 * float(rng.beta(2.6, 2.2))
    return min(8.0 + float(np.exp(rng.normal(2.6, 1.2))), _HIGHEST_COUNT)


def draw_bag(patient: Patient, design: Design) -> Bag:
    """Draw a patient's images; without signal they do not depend on the label."""
    rng = np.random.default_rng([design.seed, _SLIDE, patient.number])
    slide = draw_slide(rng, shift=design.stain_signal * (2 * patient.label - 1))
    population = draw_population(rng, design.signal)
    share = float(rng.uniform(*design.abnormal_share))
    least, most = design.cells
    bag = Bag([], [], [], share if patient.label else 0.0)
    for image_number in range(int(rng.integers(least, most + 1))):
        image_rng = np.random.default_rng([design.seed, _IMAGE, patient.number, image_number])
        is_abnormal = image_rng.random() < bag.abnormal_share
        cell, kind = draw_lymphocyte(image_rng, population, is_abnormal)
        beside, _ = draw_lymphocyte(image_rng, population, False)
        image, mask = photograph(image_rng, slide, cell, beside, _IMAGE_SIZE)
        bag.images.append(image)
        bag.masks.append(mask)
        bag.kinds.append(kind)
    return bag


def _write_bag(root: Path, truth: Path, patient: Patient, bag: Bag) -> list[tuple[str, str, Kind]]:
    """Write images and masks; return patient, image and kind of each."""
    folder = root / SETS[patient.part] / patient.name
    masks = truth / "masks" / patient.name
    folder.mkdir(parents=True)
    masks.mkdir(parents=True)
    names = [f"{place:06d}" for place in range(len(bag.images))]
    for name, image, mask in zip(names, bag.images, bag.masks, strict=True):
        write_image(folder / f"{name}.jpg", image)
        write_image(masks / f"{name}.png", mask)
    return [(patient.name, f"{n}.jpg", kind) for n, kind in zip(names, bag.kinds, strict=True)]


def _write_tables(root: Path, rows: pd.DataFrame) -> None:
    """Write the clinical table with an index column, the tables of the sets, sample and note."""
    note = f"Simulated patients ({rows['ID'].min()}, ...) with drawn images: nobody is real.\n"
    (root / SIMULATED_NOTE).write_text(note, encoding="utf-8")
    rows.to_csv(root / TABLE)
    is_test = rows["LABEL"] == -1
    for name, part in zip(SET_TABLES, (rows[~is_test], rows[is_test]), strict=True):
        part.to_csv(root / name, index=False)
    rows.loc[is_test, ["ID"]].assign(LABEL=0).to_csv(root / SAMPLE, index=False)


def _write_truth(path: Path, columns: str, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(list(rows), columns=columns.split()).to_csv(path, index=False)
