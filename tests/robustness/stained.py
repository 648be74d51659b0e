"""Patients with a stain; descriptors and drawn images in which it may be tied to labels."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.packed import Bags, Clinical
from lymphokit.imaging.artefacts import average_by_patient, colour_statistics
from lymphokit.imaging.smear_colours import SmearColours, colours_table
from lymphokit.robustness.stain_cohort import Described, StainCohort, Versions
from lymphokit.robustness.stain_columns import ALL, BOTH, GLASS, RED_CELLS, column_sets
from lymphokit.robustness.stain_test import stain_table
from lymphokit.simulation.cohort import Design, Patient, draw_attributes, draw_bag
from lymphokit.studies.probes import ProbeTarget

Floats = NDArray[np.float64]
CLINICAL = {"kind": "clinical_logistic", "enabled": True, "C": 1.0}
KERNEL = {
    "kind": "bag_kernel", "enabled": True, "features": "drawn", "pca": 6, "width": 2.0, "C": 10.0,
}  # fmt: skip
TYPES = {
    "kind": "cell_types", "enabled": True, "features": "drawn", "pca": 6, "types": 16, "C": 0.1,
}  # fmt: skip


def target_of(labels: NDArray[np.int64], *, k: int = 5, repeats: int = 1) -> ProbeTarget:
    """Folds stratified by label, drawn anew in every repeat."""
    rng = np.random.default_rng(5)
    held_out = np.empty((repeats, len(labels)), dtype=np.int64)
    for repeat in range(repeats):
        for label in (0, 1):
            members = rng.permutation(np.flatnonzero(labels == label))
            held_out[repeat, members] = repeat * k + np.arange(len(members)) % k + 1
    names = tuple(f"P{place}" for place in range(len(labels)))
    return ProbeTarget(names, labels.astype(np.int64), held_out)


def planted(
    *, stain: float, cells: float, n: int = 120, repeats: int = 1
) -> tuple[StainCohort, Floats]:
    """A cohort, and descriptors (n, 12) of which three hold the stain and three the cells.

    stain, cells: how many deviations the labels lie apart in each.
    """
    rng = np.random.default_rng(2)
    labels = rng.permutation(np.arange(n) % 2)
    shift = (labels - 0.5)[:, None]
    colours = rng.normal(size=(n, 6)) + stain * shift
    descriptors = rng.normal(size=(n, 12))
    descriptors[:, :3] = 3 * colours[:, 3:] + 0.1 * descriptors[:, :3]
    descriptors[:, 3:6] += cells * shift
    sets = {GLASS: colours[:, :3], RED_CELLS: colours[:, 3:], BOTH: colours}
    sets[ALL] = np.column_stack([colours, rng.normal(size=(n, 3))])
    clinical = Clinical(60 + 8 * rng.normal(size=n), np.exp(2 + rng.normal(size=n) + shift[:, 0]))
    return StainCohort(target_of(labels, repeats=repeats), clinical, sets), descriptors


def given(cohort: StainCohort, descriptors: Floats) -> Iterator[Described]:
    """The same descriptors in every fold."""
    for _, repeat, fitted, predicted in cohort.folds():
        yield Described(repeat, fitted, predicted, descriptors, 1.0)


def table_of(cohort: StainCohort, versions: dict[str, Versions], **changes: Any) -> pd.DataFrame:
    """The stain test with few resamples; all models are in the product."""
    settings = {"product": list(versions), "resamples": 300, "level": 0.95, "seed": 1} | changes
    clinical = cohort.clinical_log_odds(CLINICAL)
    return stain_table(cohort, versions, clinical=clinical, **settings)


def drawn(*, n: int = 60, cells: int = 8, **signals: Any) -> tuple[StainCohort, Bags]:
    """A simulated cohort, and bags whose features are colours as they are, nothing normalised."""
    settings = {"abnormal_share": (0.2, 0.75), "signal": 0.0, "stain_signal": 0.0} | signals
    design = Design(seed=3, tumoral_share=0.5, cells=(cells, cells), **settings)
    patients = [Patient(number, "train", number % 2) for number in range(n)]
    images = [draw_bag(patient, design).images for patient in patients]
    target = target_of(np.array([patient.label for patient in patients]))
    colours = {
        name: SmearColours.from_images(each)
        for name, each in zip(target.patients, images, strict=True)
    }
    statistics = np.stack([colour_statistics(image) for each in images for image in each])
    files = np.zeros((n * cells, 4))
    artefacts = average_by_patient(np.repeat(target.patients, cells).tolist(), files, statistics)
    rows = pd.DataFrame([draw_attributes(patient, design) for patient in patients])
    born = rows["DOB"].str[-4:].astype(int).to_numpy()
    clinical = Clinical(2025.0 - born, rows["LYMPH_COUNT"].to_numpy(np.float64))
    bags = Bags.pack([np.stack([_colours(i) for i in each]) for each in images], target.patients)
    sets = column_sets(target.patients, colours_table(colours), artefacts)
    return StainCohort(target, clinical, sets), bags


def _colours(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Mean colour of an image, mean and deviation of its middle."""
    middle = image[84:140, 84:140].reshape(-1, 3)
    parts = (image.reshape(-1, 3).mean(axis=0), middle.mean(axis=0), middle.std(axis=0))
    return np.concatenate(parts).astype(np.float32)
