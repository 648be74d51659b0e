"""The whole cohort: every planted fault in one message, and the real one without any."""

import csv
import random
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from lymphokit.cohort.folds import make_folds
from lymphokit.errors import CohortError, Fault, describe
from lymphokit.imaging.check import Cohort, check_cohort

SIZE = 16
REAL = "dlmi-lymphocytosis-classification"
ROWS = {
    "P10": ["1", "M", "4/13/1950", "7.5"],
    "P2": ["0", "f", "13-04-1960", "5.0"],
    "P1": ["-1", "F", "1/2/1970", "6.0"],
}


def write_image(path: Path, size: tuple[int, int] = (SIZE, SIZE)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(crc32(repr(path.parts[-2:]).encode()))  # another for each
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_table(root: Path, rows: dict[str, list[str]]) -> None:
    with (root / "clinical_annotation.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "ID", "LABEL", "GENDER", "DOB", "LYMPH_COUNT"])
        writer.writerows([i, patient, *values] for i, (patient, values) in enumerate(rows.items()))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A sound cohort of three patients with three images each."""
    root = tmp_path / "raw"
    for patient, values in ROWS.items():
        part = "testset" if values[0] == "-1" else "trainset"
        for name in ("10.jpg", "2.jpg", "000001.JPG"):
            write_image(root / part / patient / name)
    write_table(root, ROWS)
    (root / "sample_submission.csv").write_text("Id,Predicted\nP1,1\nP1,1\n")
    return root


def check(root: Path, **changes: Any) -> Cohort:
    standard = {"image_size": SIZE, "reference_date": date(2025, 7, 1), "on_error": "stop"}
    return check_cohort(root, **(standard | changes))


def message(root: Path, **changes: Any) -> str:
    with pytest.raises(CohortError) as error:
        check(root, **changes)
    return str(error.value)


def test_a_sound_cohort_lists_patients_and_cells_in_natural_order(raw: Path) -> None:
    cohort = check(raw)
    assert cohort.patients["patient"].tolist() == ["P1", "P2", "P10"]
    assert cohort.patients["n_cells"].tolist() == [3, 3, 3]
    assert cohort.patients["label"].tolist() == [-1, 0, 1]
    assert cohort.cells["cell"].tolist() == list(range(9))
    assert cohort.cells["patient"].tolist() == ["P1"] * 3 + ["P2"] * 3 + ["P10"] * 3
    assert cohort.cells["image"].tolist() == ["000001.JPG", "2.jpg", "10.jpg"] * 3
    assert cohort.cells["path"][0] == "testset/P1/000001.JPG"
    assert cohort.submission_header == ("Id", "Predicted")
    assert cohort.skipped == ()


def test_the_order_of_rows_and_folders_does_not_matter(raw: Path) -> None:
    cohort = check(raw)
    rows = list(ROWS.items())
    random.Random(1).shuffle(rows)
    write_table(raw, dict(reversed(rows)))
    again = check(raw)
    pd.testing.assert_frame_equal(cohort.patients, again.patients)
    pd.testing.assert_frame_equal(cohort.cells, again.cells)


def test_paths_lead_through_a_wrapping_folder(raw: Path) -> None:
    cells = check(raw.parent).cells
    assert cells["path"][0] == "raw/testset/P1/000001.JPG"
    assert all((raw.parent / path).is_file() for path in cells["path"])


def test_the_message_names_patient_image_finding_and_remedy(raw: Path) -> None:
    bag = raw / "trainset" / "P2"
    data = (bag / "2.jpg").read_bytes()
    (bag / "2.jpg").write_bytes(data[: len(data) // 2])
    write_image(bag / "10.jpg", (18, 22))
    assert message(raw) == (
        "P2: 2 of 3 images cannot be used\n"
        f"  2.jpg   truncated JPEG at byte {len(data) // 2:,}\n"
        "  10.jpg  is 18x22, expected 16x16\n"
        "fix or remove them, or set cohort.on_error: skip in config.yaml"
    )


def test_faults_of_tables_folders_and_images_are_reported_at_once(raw: Path) -> None:
    write_table(raw, ROWS | {"P2": ["0", "x", "13/4/1960", "-5"], "P5": ["1", "M", "1/1/50", "1"]})
    write_image(raw / "trainset" / "P7" / "0.jpg")
    (raw / "trainset" / "P10" / "2.jpg").write_bytes(b"")
    (raw / "trainset" / "P10" / "notes.txt").write_text("not an image")
    (raw / "trainset" / "P10" / "more").mkdir()
    (raw / "sample_submission.csv").unlink()
    found = message(raw)
    for line in (
        f"sample_submission.csv: is not in {raw}",
        "P2: 3 faults",
        "  GENDER 'x' is neither M nor F",
        "  DOB '13/4/1960' is no day of the calendar: slashes mean month first",
        "  LYMPH_COUNT '-5' is not a positive, finite number",
        "P5: 2 faults",
        "  has no folder trainset/P5",
        "P7: has a folder trainset/P7 but no row in the table",
        "P10: 3 of 5 images cannot be used",
        "  2.jpg      is empty (0 bytes)",
        "  more       is a folder",
    ):
        assert line in found.splitlines()
    assert "  notes.txt  is not named as an image: .bmp, " in found
    assert found.index("sample_submission") < found.index("P2:") < found.index("P10:")


def test_a_patient_in_the_wrong_set_is_a_fault(raw: Path) -> None:
    (raw / "testset" / "P1").rename(raw / "trainset" / "P1")
    write_image(raw / "testset" / "P2" / "0.jpg")
    found = message(raw)
    assert "P1: is a test patient by LABEL, but has a folder trainset/P1" in found
    assert "P2: is a train patient by LABEL, but has a folder testset/P2" in found


def test_an_empty_bag_is_a_fault(raw: Path) -> None:
    for path in (raw / "trainset" / "P2").iterdir():
        path.unlink()
    (raw / "trainset" / "P2" / ".DS_Store").touch()
    for on_error in ("stop", "skip"):
        assert "P2: has no image in trainset/P2" in message(raw, on_error=on_error)


def test_hidden_files_are_ignored(raw: Path) -> None:
    cohort = check(raw)
    for name in (".DS_Store", "Thumbs.db", "._2.jpg"):
        (raw / "trainset" / "P2" / name).write_bytes(b"junk")
    pd.testing.assert_frame_equal(cohort.cells, check(raw).cells)


def test_skipped_images_are_left_out_and_reported(raw: Path) -> None:
    (raw / "trainset" / "P2" / "2.jpg").write_bytes(b"")
    (raw / "trainset" / "P2" / "notes.txt").touch()
    cohort = check(raw, on_error="skip")
    assert cohort.patients["n_cells"].tolist() == [3, 2, 3]
    assert cohort.cells["cell"].tolist() == list(range(8))
    assert "2.jpg" not in cohort.cells.loc[cohort.cells["patient"] == "P2", "image"].tolist()
    assert [fault.image for fault in cohort.skipped] == ["2.jpg", "notes.txt"]
    assert describe(cohort.skipped).startswith("P2: 2 of 4 images cannot be used\n")
    assert describe(cohort.skipped).endswith("cohort.on_error: skip")


def test_a_bag_left_without_a_usable_image_is_a_fault_also_when_skipping(raw: Path) -> None:
    for path in (raw / "trainset" / "P2").iterdir():
        path.write_bytes(b"")
    found = message(raw, on_error="skip")
    assert "P2: has no usable image in trainset/P2" in found
    assert "2.jpg       is empty (0 bytes)" in found


def test_the_folder_of_an_unknown_part_may_be_in_either_set(raw: Path) -> None:
    write_table(raw, ROWS | {"P5": ["7", "M", "1/1/1950", "1"]})
    assert "has no folder trainset/P5 or testset/P5" in message(raw)


def test_an_empty_folder_is_one_short_message(tmp_path: Path) -> None:
    found = message(tmp_path)
    assert found.splitlines()[0].startswith("clinical_annotation.csv: is neither at")
    assert len(found.splitlines()) == 4


def test_a_table_without_any_folder_is_one_fault(raw: Path) -> None:
    for part in ("trainset", "testset"):
        (raw / part).rename(raw / f"{part}_moved")
    assert message(raw).splitlines()[0] == "trainset, testset: hold no patient's folder"


def test_a_long_list_of_faults_is_cut_and_says_so() -> None:
    images = [Fault("P1", "is empty (0 bytes)", "mend", f"{i}.jpg", 40) for i in range(12)]
    patients = [Fault(f"P{i}", "has no folder", "mend") for i in range(2, 6)]
    lines = describe([*images, *patients], most_per_patient=10, most_patients=3).splitlines()
    assert lines[0] == "P1: 12 of 40 images cannot be used"
    assert lines[11] == "  ... and 2 more"
    assert lines[12:] == [
        "P2: has no folder",
        "P3: has no folder",
        "... and the faults of 2 more patients",
        "mend",
    ]


def test_the_real_cohort_has_no_fault_and_balanced_folds(real_data: Path) -> None:
    config = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
    cohort = check_cohort(real_data / REAL, **config["cohort"])
    patients = cohort.patients
    assert patients["part"].value_counts().to_dict() == {"train": 121, "test": 42}
    assert patients["age_years"].between(20, 110).all()
    assert set(patients["gender"]) == {"M", "F"}
    assert patients["n_cells"].sum() == len(cohort.cells)
    assert patients["n_cells"].between(1, 40).all()
    assert cohort.submission_header == ("ID", "LABEL")
    folds = make_folds(patients, **config["folds"], seed=config["seed"])
    held_out = folds[folds["part"] == "validation"].merge(patients[["patient", "label"]])
    assert sorted(held_out.groupby("fold").size()) == [24, 24, 24, 24, 25]
    assert np.ptp(held_out.groupby("fold")["label"].sum()) <= 1


@pytest.mark.parametrize("copy", ["bytes", "pixels"])
def test_a_picture_twice_in_a_bag_is_a_fault_with_both_files(raw: Path, copy: str) -> None:
    bag = raw / "trainset" / "P2"
    if copy == "bytes":
        (bag / "7.jpg").write_bytes((bag / "2.jpg").read_bytes())
    else:
        Image.open(bag / "2.jpg").save(bag / "7.png")
    other = "7.jpg" if copy == "bytes" else "7.png"
    with pytest.raises(CohortError) as caught:
        check(raw)
    assert [(fault.patient, fault.image) for fault in caught.value.faults] == [("P2", other)]
    assert f"{copy} of 2.jpg" in caught.value.faults[0].finding
    cohort = check(raw, on_error="skip")
    assert cohort.patients.set_index("patient")["n_cells"]["P2"] == 3


def test_an_id_and_its_folder_may_differ_in_unicode_form(raw: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Pé") for form in ("NFC", "NFD"))
    write_table(raw, ROWS | {composed: ["1", "M", "1/1/1950", "1"]})
    write_image(raw / "trainset" / decomposed / "0.jpg")
    cells = check(raw).cells.query("patient == @composed")
    assert cells["path"].tolist() == [f"trainset/{decomposed}/0.jpg"]
    write_image(raw / "trainset" / composed / "1.jpg")
    assert "normalisation" in message(raw)
    assert "\\u0301" in message(raw)


def test_rows_that_differ_in_unicode_form_alone_are_one_patient(raw: Path) -> None:
    forms = [unicodedata.normalize(form, "Pé") for form in ("NFC", "NFD")]
    write_table(raw, ROWS | {form: ["1", "M", "1/1/1950", "1"] for form in forms})
    write_image(raw / "trainset" / forms[0] / "0.jpg")
    assert "normalisation" in message(raw)


@pytest.mark.parametrize("name", ["P5\u200b", "P5\u00a0", "\u202eP5", "P5\t", "P5\udcff"])
def test_invisible_characters_are_shown(raw: Path, name: str) -> None:
    write_image(raw / "trainset" / name / "0.jpg")
    hidden = next(character for character in name if character not in "P5")
    assert ascii(hidden)[1:-1] in message(raw)
    assert hidden not in message(raw)


def test_tables_that_cannot_be_together_are_named_before_any_image_is_used(raw: Path) -> None:
    table = "ID,LABEL,GENDER,DOB,LYMPH_COUNT\nP10,0,M,4/13/1950,7.5\n"
    (raw / "trainset" / "trainset_true.csv").write_text(table)
    (raw / "sample_submission.csv").write_text("ID,LABEL\nP900,1\n")
    found = message(raw)
    assert "P10: LABEL is '1' in clinical_annotation.csv and '0' in trainset_true.csv" in found
    assert "P900" in found
    (raw / "trainset" / "trainset_true.csv").unlink()
    assert check(raw, allow=["sample_submission.csv"]).skipped == ()


def test_a_cohort_with_nobody_to_predict_is_refused(raw: Path) -> None:
    (raw / "testset" / "P1").rename(raw / "trainset" / "P1")
    write_table(raw, ROWS | {"P1": ["1", "F", "1/2/1970", "6.0"]})
    (raw / "sample_submission.csv").write_text("ID,LABEL\n")
    assert message(raw).startswith("LABEL: ")
    assert "predict" in message(raw)


def test_dates_that_read_both_ways_are_one_sentence(raw: Path) -> None:
    (note,) = check(raw).notes
    assert "1 read both ways" in note
    assert "month first" in note


@pytest.mark.parametrize("other", ["trainset/P10", "testset/P1"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_picture_of_two_patients_is_a_fault_with_both_files(
    raw: Path, other: str, on_error: str
) -> None:
    Image.open(raw / "trainset" / "P2" / "2.jpg").save(raw / other / "7.png")
    pair = {f"{Path(other).name}/7.png", "P2/2.jpg"}
    with pytest.raises(CohortError) as caught:
        check(raw, on_error=on_error)
    (fault,) = caught.value.faults
    first = next(image for image in pair if image != f"{fault.patient}/{fault.image}")
    assert f"{fault.patient}/{fault.image}" in pair
    assert " of ".join(reversed(first.split("/"))) in fault.finding
    known = [{"images": sorted(pair), "reason": "one patient, seen twice"}]
    assert len(check(raw, on_error=on_error, known_duplicates=known).cells) == 10


def test_an_id_of_the_sample_submission_may_differ_in_unicode_form(raw: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Pé") for form in ("NFC", "NFD"))
    write_table(raw, ROWS | {composed: ["-1", "M", "1/1/1950", "1"]})
    write_image(raw / "testset" / composed / "0.jpg")
    (raw / "sample_submission.csv").write_text(f"ID,LABEL\n{decomposed},1\n", encoding="utf-8")
    assert composed in check(raw).patients["patient"].tolist()
