from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lymphokit.cohort.clinical_table import read_clinical
from lymphokit.cohort.download_search import is_simulated
from lymphokit.cohort.layout import read_layout
from lymphokit.errors import ConfigError
from lymphokit.simulation.cell_sets import write_labelled_cells
from lymphokit.simulation.cohort import (
    Design,
    Patient,
    draw_attributes,
    draw_bag,
    enrol,
    simulate,
)

ROOT = Path(__file__).parents[2]
DEFAULTS = yaml.safe_load((ROOT / "config.yaml").read_text())["simulate"]
TINY = DEFAULTS | {
    "training_patients": 10,
    "test_patients": 4,
    "cells": [1, 3],
    "labelled_cells": 5,
    "cells_per_blood_type": 1,
}
BLOOD_TYPES = {
    "basophil", "eosinophil", "erythroblast", "ig",
    "lymphocyte", "monocyte", "neutrophil", "platelet",
}  # fmt: skip
Cohort = tuple[Path, Path]


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder / "raw", folder / "truth", **TINY)
    return folder / "raw", folder / "truth"


def design(**changes: Any) -> Design:
    settings = {
        "seed": DEFAULTS["seed"],
        "tumoral_share": DEFAULTS["tumoral_share"],
        "cells": (2, 5),
        "abnormal_share": tuple(DEFAULTS["abnormal_share"]),
        "signal": 1.0,  # the groups of the report, undiluted
        "stain_signal": 0.0,
    }
    return Design(**(settings | changes))


@pytest.fixture(scope="module")
def attributes() -> pd.DataFrame:
    """Eight hundred patients' rows with their true labels, half of them tumoral."""
    patients = [Patient(number, "train", number % 2) for number in range(800)]
    table = pd.DataFrame([draw_attributes(patient, design()) for patient in patients])
    return table.assign(year=table["DOB"].str[-4:].astype(int))


# The same seed, the same cohort


def test_the_same_seed_gives_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    simulate(tmp_path / "raw", tmp_path / "truth", **TINY)
    for first, second in zip(cohort, (tmp_path / "raw", tmp_path / "truth"), strict=True):
        assert files_below(first) == files_below(second)


def test_another_seed_gives_other_images() -> None:
    first = draw_bag(Patient(0, "train", 0), design(seed=1)).images[0]
    second = draw_bag(Patient(0, "train", 0), design(seed=2)).images[0]
    assert not np.array_equal(first, second)


def test_no_two_images_of_a_cohort_are_equal(cohort: Cohort) -> None:
    pictures = [data for name, data in files_below(cohort[0]).items() if not name.endswith(".csv")]
    assert len(set(pictures)) == len(pictures)


# The layout of the download


def test_the_cohort_reads_like_the_download(cohort: Cohort) -> None:
    layout = read_layout(cohort[0])
    patients, faults = read_clinical(layout.tables, date(2025, 7, 1))
    assert (layout.faults, faults) == ((), [])
    assert layout.submission_header == ("ID", "LABEL")
    folders = {folder.patient: folder.part for folder in layout.folders}
    assert folders == dict(zip(patients["patient"], patients["part"], strict=True))


def test_a_simulated_cohort_is_recognised_by_its_ids_and_by_its_note(cohort: Cohort) -> None:
    ids = pd.read_csv(cohort[0] / "clinical_annotation.csv")["ID"]
    assert ids.str.fullmatch(r"SIM\d{3}").all()
    assert (cohort[0] / "SIMULATED.txt").is_file()
    assert is_simulated(cohort[0])


def test_the_tables_have_the_columns_of_the_download(cohort: Cohort) -> None:
    def header(name: str) -> str:
        return (cohort[0] / name).read_text().splitlines()[0]

    assert header("clinical_annotation.csv") == ",ID,LABEL,GENDER,DOB,LYMPH_COUNT"
    assert header("trainset/trainset_true.csv") == "ID,LABEL,GENDER,DOB,LYMPH_COUNT"
    assert header("testset/testset_data.csv") == "ID,LABEL,GENDER,DOB,LYMPH_COUNT"
    assert header("sample_submission.csv") == "ID,LABEL"


def test_the_tables_of_the_sets_hold_the_rows_of_the_whole_table(cohort: Cohort) -> None:
    whole = pd.read_csv(cohort[0] / "clinical_annotation.csv", index_col=0)
    train = pd.read_csv(cohort[0] / "trainset" / "trainset_true.csv")
    test = pd.read_csv(cohort[0] / "testset" / "testset_data.csv")
    assert (len(train), len(test)) == (10, 4)
    assert whole.index.tolist() == list(range(14))
    parts = pd.concat([train, test]).set_index("ID").loc[whole["ID"]].reset_index()
    pd.testing.assert_frame_equal(parts, whole.reset_index(drop=True))
    assert train["LABEL"].sum() == round(0.69 * 10)
    assert (test["LABEL"] == -1).all()
    sample = pd.read_csv(cohort[0] / "sample_submission.csv")
    assert set(sample["ID"]) == set(test["ID"])


def test_bags_are_numbered_jpegs_of_the_size_of_the_download(cohort: Cohort) -> None:
    for patient in (cohort[0] / "trainset").glob("SIM*"):
        images = sorted(patient.iterdir())
        assert 1 <= len(images) <= 3
        assert [image.name for image in images] == [f"{n:06d}.jpg" for n in range(len(images))]
        assert images[0].read_bytes().startswith(b"\xff\xd8\xff")
        assert cv2.imread(str(images[0])).shape == (224, 224, 3)


def test_labelled_cells_are_named_as_in_all_idb2(cohort: Cohort) -> None:
    files = sorted((cohort[0] / "labelled_cells").iterdir())
    assert [file.name for file in files] == [
        "Im001_1.tif", "Im002_1.tif", "Im003_1.tif", "Im004_0.tif", "Im005_0.tif",
    ]  # fmt: skip
    assert {cv2.imread(str(file)).shape for file in files} == {(257, 257, 3)}


def test_blood_types_lie_in_the_folders_of_pbc(cohort: Cohort) -> None:
    folders = {
        folder.name: list(folder.iterdir()) for folder in (cohort[0] / "blood_cells").iterdir()
    }
    assert set(folders) == BLOOD_TYPES
    for (image,) in folders.values():
        assert image.suffix == ".jpg"
        assert cv2.imread(str(image)).shape == (363, 360, 3)


# Nothing but age, count and cells tells the groups apart


@pytest.mark.parametrize("number", range(12))
def test_date_format_gender_and_bag_size_are_the_same_whatever_the_label(number: int) -> None:
    def seen(label: int) -> tuple[bool, object, int]:
        patient = Patient(number, "train", label)
        row = draw_attributes(patient, design())
        size = len(draw_bag(patient, design(cells=(1, 4))).images) if number < 4 else 0
        return "-" in str(row["DOB"]), row["GENDER"], size

    assert seen(0) == seen(1)


def test_some_dates_are_written_day_first_with_dashes(attributes: pd.DataFrame) -> None:
    dashed = attributes.loc[attributes["DOB"].str.contains("-"), "DOB"]
    assert 0.09 < len(dashed) / len(attributes) < 0.17
    assert dashed.str.fullmatch(r"\d\d-\d\d-\d{4}").all()
    slashed = attributes["DOB"].drop(dashed.index)
    assert slashed.str.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}").all()


def test_row_order_and_patient_number_are_independent_of_label_and_part() -> None:
    def agreement(of: Callable[[Patient], bool], place: Callable[[int, Patient], int]) -> float:
        areas = []
        for seed in range(150):
            patients = enrol(seed, 40, 20, 0.69)
            truth = [of(patient) for patient in patients]
            areas.append(roc_auc_score(truth, [place(n, p) for n, p in enumerate(patients)]))
        return float(np.mean(areas))

    for of in (lambda patient: patient.label == 1, lambda patient: patient.part == "test"):
        assert agreement(of, lambda row, _: row) == pytest.approx(0.5, abs=0.03)
        assert agreement(of, lambda _, patient: patient.number) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("number", range(3))
def test_without_signal_a_patient_is_the_same_whatever_the_label(number: int) -> None:
    none = design(signal=0.0)
    reactive, tumoral = (Patient(number, "test", label) for label in (0, 1))
    assert draw_attributes(reactive, none) == draw_attributes(tumoral, none)
    for first, second in zip(
        draw_bag(reactive, none).images, draw_bag(tumoral, none).images, strict=True
    ):
        assert np.array_equal(first, second)


def test_without_signal_the_labelled_cells_do_not_differ_in_kind(tmp_path: Path) -> None:
    write_labelled_cells(tmp_path / "two", 2, (3, 4), 0.0)
    write_labelled_cells(tmp_path / "four", 4, (3, 4), 0.0)
    healthy = (tmp_path / "two" / "Im002_0.tif").read_bytes()
    assert healthy == (tmp_path / "four" / "Im002_1.tif").read_bytes()


def test_with_signal_the_images_depend_on_the_label() -> None:
    bags = [draw_bag(Patient(1, "train", label), design()) for label in (0, 1)]
    same = [np.array_equal(*pair) for pair in zip(bags[0].images, bags[1].images, strict=True)]
    assert not all(same)
    assert [kind == "abnormal" for kind in bags[1].kinds] == [not equal for equal in same]


@pytest.mark.parametrize("changes", [{"signal": 0.0}, {"abnormal_share": (0.0, 0.0)}])
def test_a_stain_tied_to_the_label_leaves_the_cells_alike(changes: dict[str, Any]) -> None:
    tied = design(stain_signal=1.0, **changes)
    reactive, tumoral = (draw_bag(Patient(4, "train", label), tied) for label in (0, 1))
    for first, second in zip(reactive.masks, tumoral.masks, strict=True):
        assert np.array_equal(first, second)
    # Less stain lets more light through wherever there is any, for all that the light is dimmer.
    darkest = [np.mean([np.quantile(i, 0.1) for i in bag.images]) for bag in (reactive, tumoral)]
    lightest = [np.mean([np.quantile(i, 0.9) for i in bag.images]) for bag in (reactive, tumoral)]
    assert darkest[0] < darkest[1]
    assert lightest[0] > lightest[1]


def test_cells_without_a_clone_leave_ages_and_counts_their_signal() -> None:
    for label in (0, 1):
        patient = Patient(7, "train", label)
        without = draw_attributes(patient, design(abnormal_share=(0.0, 0.0), stain_signal=1.0))
        assert without == draw_attributes(patient, design())


def test_half_a_stain_signal_lies_half_way() -> None:
    def background(stain_signal: float) -> float:
        tied = design(signal=0.0, stain_signal=stain_signal)
        image = draw_bag(Patient(2, "train", 1), tied).images[0]
        return float(np.quantile(image[..., 2], 0.97))

    none, half, whole = (background(stain_signal) for stain_signal in (0.0, 0.5, 1.0))
    assert none - half == pytest.approx(half - whole, abs=1.0)
    assert none - whole > 1.5


# Ages and counts follow the groups of the report


def test_counts_above_eight_are_all_malignant(attributes: pd.DataFrame) -> None:
    high = attributes[attributes["LYMPH_COUNT"] > 8]
    assert len(high) > 100
    assert (high["LABEL"] == 1).all()


def test_low_counts_occur_in_both_groups(attributes: pd.DataFrame) -> None:
    counts = attributes.groupby("LABEL")["LYMPH_COUNT"]
    reactive, tumoral = counts.get_group(0), counts.get_group(1)
    assert reactive.between(4, 7.9).all()
    assert tumoral.min() > 2.2
    assert tumoral.max() <= 295
    assert 0.35 < (tumoral < reactive.max()).mean() < 0.55
    assert tumoral.skew() > 2


def test_reactive_patients_are_younger(attributes: pd.DataFrame) -> None:
    years = attributes.groupby("LABEL")["year"]
    assert years.quantile([0.25, 0.5, 0.75]).loc[0].tolist() == pytest.approx(
        [1947, 1963, 1979], abs=5
    )
    assert years.quantile([0.25, 0.5, 0.75]).loc[1].tolist() == pytest.approx(
        [1937, 1948, 1956], abs=5
    )


def test_gender_is_shared_equally_in_both_groups(attributes: pd.DataFrame) -> None:
    women = (attributes["GENDER"] == "F").groupby(attributes["LABEL"]).mean()
    assert women.tolist() == pytest.approx([0.5, 0.5], abs=0.08)


def test_age_and_count_alone_do_not_determine_the_label(attributes: pd.DataFrame) -> None:
    known = np.column_stack([attributes["year"], np.log(attributes["LYMPH_COUNT"])])
    model = make_pipeline(StandardScaler(), LogisticRegression())
    scores = cross_val_predict(model, known, attributes["LABEL"], method="decision_function")
    assert 0.80 < roc_auc_score(attributes["LABEL"], scores) < 0.90


def test_age_count_and_abnormal_share_are_independent_within_a_group(
    attributes: pd.DataFrame,
) -> None:
    tumoral = attributes[attributes["LABEL"] == 1].head(60)
    shares = [
        draw_bag(Patient(int(name[3:]), "train", 1), design(cells=(1, 1))).abnormal_share
        for name in tumoral["ID"]
    ]
    own = pd.DataFrame({"year": tumoral["year"], "count": tumoral["LYMPH_COUNT"]}).rank()
    own["share"] = pd.Series(shares, index=own.index).rank()
    off_diagonal = own.corr().to_numpy()[np.triu_indices(3, 1)]
    assert np.abs(off_diagonal).max() < 0.33  # beyond it: one in a hundred by chance


# The truth


@pytest.mark.parametrize(("root", "truth"), [("a", "a/truth"), ("a/raw", "a"), ("a", "a")])
def test_truth_inside_the_cohorts_folder_is_refused(tmp_path: Path, root: str, truth: str) -> None:
    with pytest.raises(ConfigError, match="separate folders"):
        simulate(tmp_path / root, tmp_path / truth, **TINY)
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_is_not_drawn_over_another(cohort: Cohort) -> None:
    with pytest.raises(FileExistsError):
        simulate(*cohort, **TINY)


def test_the_truth_lists_every_label_and_every_cell(cohort: Cohort) -> None:
    raw, truth = cohort
    patients = pd.read_csv(truth / "patients.csv").set_index("patient")
    given = pd.read_csv(raw / "trainset" / "trainset_true.csv").set_index("ID")["LABEL"]
    assert patients.loc[given.index, "label"].tolist() == given.tolist()
    assert patients.loc[patients["part"] == "test", "label"].sum() == round(0.69 * 4)
    cells = pd.read_csv(truth / "cells.csv")
    drawn = {(p.parent.name, p.name) for p in raw.glob("*set/SIM*/*.jpg")}
    assert set(zip(cells["patient"], cells["image"], strict=True)) == drawn
    assert len(cells) == len(drawn)


def test_abnormal_cells_are_found_in_tumoral_patients_alone(cohort: Cohort) -> None:
    patients = pd.read_csv(cohort[1] / "patients.csv").set_index("patient")
    cells = pd.read_csv(cohort[1] / "cells.csv")
    owners = patients.loc[cells.loc[cells["kind"] == "abnormal", "patient"], "label"]
    assert len(owners) > 0
    assert (owners == 1).all()
    tumoral = patients["label"] == 1
    assert (patients.loc[~tumoral, "abnormal_share"] == 0).all()
    assert patients.loc[tumoral, "abnormal_share"].between(0.25, 0.9).all()


def test_the_middle_of_every_mask_is_nucleus_and_dark_in_the_image(cohort: Cohort) -> None:
    raw, truth = cohort
    for image_path in raw.glob("*set/SIM*/*.jpg"):
        mask_path = truth / "masks" / image_path.parent.name / f"{image_path.stem}.png"
        mask = cv2.imread(str(mask_path), cv2.IMREAD_GRAYSCALE)
        green = cv2.imread(str(image_path))[..., 1]
        assert mask.shape == (224, 224)
        assert set(np.unique(mask)) <= {0, 128, 255}
        assert mask[112, 112] == 255
        assert 1000 < (mask == 255).sum() < 6500
        assert (mask > 0).sum() < 15000
        assert green[mask == 255].mean() < 90 < 150 < green[mask == 0].mean()


def test_abnormal_cells_are_smaller_and_more_alike() -> None:
    sizes: dict[bool, list[int]] = {False: [], True: []}
    for number in range(4):
        bag = draw_bag(Patient(number, "train", 1), design(cells=(16, 16)))
        for mask, kind in zip(bag.masks, bag.kinds, strict=True):
            sizes[kind == "abnormal"].append(int((mask > 0).sum()))
    assert np.median(sizes[True]) < np.median(sizes[False])
    assert np.std(sizes[True]) < 0.6 * np.std(sizes[False])
