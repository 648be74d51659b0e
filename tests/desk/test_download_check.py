"""A check counts everything, also where there are faults, and each fault has its meaning."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lymphokit.cli import main
from lymphokit.desk.fault_meanings import _OTHER


@pytest.fixture
def cohort(kit: Path) -> Path:
    main(["simulate", str(kit / "drawn"), "--seed", "1"])
    return kit / "drawn"


def checked(raw: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    code = main(["check", str(raw), "--json"])
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    assert code == (1 if found["faults"] else 0)
    return found


@pytest.mark.parametrize("is_zip", [False, True])
def test_everything_is_counted_in_a_folder_and_a_zip(
    cohort: Path, capsys: pytest.CaptureFixture[str], is_zip: bool
) -> None:
    images = list(cohort.glob("*set/*/*.jpg"))
    sizes = [len(list(folder.glob("*.jpg"))) for folder in cohort.glob("*set/*") if folder.is_dir()]
    raw = Path(shutil.make_archive(str(cohort), "zip", cohort)) if is_zip else cohort
    found = checked(raw, capsys)
    assert found["folders"] == {"trainset": 10, "testset": 4}
    assert found["images"] == {
        "number": len(images),
        "megabytes": round(sum(path.stat().st_size for path in images) / 1e6, 1),
        "formats": {"JPEG": len(images)},
        "sizes": {"224x224": len(images)},
    }
    numbers = found["images_per_patient"]
    assert isinstance(numbers, dict)
    assert numbers["all"] == [min(sizes), int(np.median(sizes)), max(sizes)]
    assert set(numbers) == {"all", "trainset", "testset", "tumoral", "reactive", "to predict"}


def image_of_another_size(cohort: Path) -> None:
    path = next(cohort.glob("trainset/*/*.jpg"))
    Image.fromarray(np.zeros((9, 7, 3), np.uint8)).save(path)


def grey_image(cohort: Path) -> None:
    Image.fromarray(np.zeros((224, 224), np.uint8)).save(next(cohort.glob("trainset/*/*.jpg")))


def damaged_image(cohort: Path) -> None:
    path = next(cohort.glob("trainset/*/*.jpg"))
    path.write_bytes(path.read_bytes()[:300])


def no_table(cohort: Path) -> None:
    for path in [*cohort.glob("*.csv"), *cohort.glob("*set/*.csv")]:
        path.unlink()


def no_folder(cohort: Path) -> None:
    shutil.rmtree(next(path for path in cohort.glob("trainset/*") if path.is_dir()))


def no_image(cohort: Path) -> None:
    for path in next(path for path in cohort.glob("testset/*") if path.is_dir()).iterdir():
        path.unlink()


def in_table(old: str, new: str) -> Callable[[Path], None]:
    def change(cohort: Path) -> None:
        path = cohort / "clinical_annotation.csv"
        path.write_text(path.read_text().replace(old, new))

    return change


def same_picture(cohort: Path) -> None:
    first, *_, last = sorted(cohort.glob("trainset/*/*.jpg"))
    shutil.copy(first, last)


def a_document(cohort: Path) -> None:
    next(cohort.glob("trainset/*/*.jpg")).with_name("notes.docx").write_text("x")


def broken_link(cohort: Path) -> None:
    next(cohort.glob("trainset/*/*.jpg")).with_name("x.jpg").symlink_to(cohort / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (image_of_another_size, "magnification"),
        (grey_image, "pixels"),
        (damaged_image, "lost a part"),
        (no_table, "columns"),
        (no_folder, "different patients"),
        (no_image, "different patients"),
        (in_table("LYMPH_COUNT", "LYMPHOCYTES"), "columns"),
        (in_table(",M,", ",male,"), "gender"),
        (in_table("SIM003,", "SIM004,"), "contradict|different patients"),
        (same_picture, "recognised"),
        (a_document, "skipped in silence"),
        (broken_link, "not here|no image"),
    ],
)
def test_faults_leave_the_counts_and_have_their_meaning_and_remedy(
    cohort: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    expected: str,
) -> None:
    spoil(cohort)
    found = checked(cohort, capsys)
    assert found["images"]["number"] > 10  # type: ignore[index]
    faults = found["faults"]
    assert isinstance(faults, list)
    assert all(fault["remedy"] and fault["meaning"] != _OTHER for fault in faults)
    texts = " ".join(fault["meaning"] for fault in faults)
    assert any(part in texts for part in expected.split("|"))
    assert main(["check", str(cohort)]) == 1
    printed = capsys.readouterr()
    assert "images" in printed.out
    assert all(fault["meaning"] in printed.err for fault in faults)


def test_a_zip_that_cannot_be_unpacked_is_a_fault(
    kit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kit / "damaged.zip").write_bytes(b"PK\x03\x04 and no more")
    (fault,) = checked(kit / "damaged.zip", capsys)["faults"]  # type: ignore[misc]
    assert fault["meaning"] != _OTHER
