"""What looks like the download is never passed over for the simulated cohort."""

import io
import zipfile
from pathlib import Path

import pytest

from lymphokit.cohort.download_search import SIMULATED_NOTE, is_simulated, lookalikes
from lymphokit.cohort.raw import COMPETITION, DOWNLOAD, SET_TABLES, TABLE, locate
from lymphokit.errors import ConfigError

REAL = ",ID,LABEL,GENDER,DOB,LYMPH_COUNT\n0,P1,1,M,4/13/1950,7.5\n"
SIMULATED = REAL.replace("P1", "SIM001")


def folder(path: Path, table: str = REAL) -> Path:
    (path / "trainset").mkdir(parents=True)
    (path / TABLE).write_text(table)
    return path


def zip_bytes(members: dict[str, str | bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return memory.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


ZIP = zip_bytes({TABLE: REAL, "trainset/P1/0.jpg": "pixels"})
ZIPS = [
    f"data/raw/{COMPETITION} (1).zip",
    f"data/raw/{COMPETITION}-2.zip",
    f"data/raw/{COMPETITION}.tar.gz",
    f"data/raw/{COMPETITION}.zip.part",
    f"data/raw/{COMPETITION}.zip.crdownload",
    f"data/raw/{COMPETITION}.7z",
    f"data/raw/{COMPETITION}",
    f"data/raw/{COMPETITION.upper()}_copy.zip",
    f"data/{COMPETITION}.zip",
    f"{COMPETITION}.zip",
    f"data/raw/kaggle/{COMPETITION}.zip",
    f"data/raw/downloads/kaggle/{COMPETITION}.zip",
    "data/raw/archive.zip",
    "data/archive.zip",
    "data/raw/trainset.zip",
    "data/raw/clinical_annotation.csv.zip",
    "data/raw/clinical_annotation (1).csv",
]
FOLDERS = [
    "data/raw",
    "data",
    "data/raw/download",
    "data/kaggle",
    "data/raw/one/two",
    f"data/raw/{COMPETITION} 2",
    f"data/{COMPETITION}",
    COMPETITION,
]


def refused(root: Path, named: Path) -> None:
    with pytest.raises(ConfigError) as error:
        locate("auto", root)
    assert str(named) in str(error.value)
    assert "raw in config.yaml" in str(error.value)
    assert locate("demo", root).source is None


@pytest.mark.parametrize("place", ZIPS)
def test_a_file_that_looks_like_the_download_stops_the_run(tmp_path: Path, place: str) -> None:
    refused(tmp_path, write(tmp_path / place, ZIP).parent)


@pytest.mark.parametrize("place", FOLDERS)
def test_a_folder_that_looks_like_the_download_stops_the_run(tmp_path: Path, place: str) -> None:
    refused(tmp_path, folder(tmp_path / place))


def test_a_flat_unzip_is_named_once(tmp_path: Path) -> None:
    folder(tmp_path / "data" / "raw")
    assert lookalikes(tmp_path) == [tmp_path / "data" / "raw"]


@pytest.mark.parametrize("wrapper", ["", "a/", "a/b/"])
def test_a_zip_within_a_zip_is_found_and_refused(tmp_path: Path, wrapper: str) -> None:
    nested = zip_bytes({f"{wrapper}{COMPETITION}.zip": ZIP})
    refused(tmp_path, write(tmp_path / "data/raw/download.zip", nested))
    refused(tmp_path, write(tmp_path / f"{DOWNLOAD}.zip", nested))


def test_a_zip_wrapped_twice_at_the_expected_place_is_refused(tmp_path: Path) -> None:
    content = zip_bytes({f"a/b/{TABLE}": REAL, "a/b/trainset/P1/0.jpg": "pixels"})
    refused(tmp_path, write(tmp_path / f"{DOWNLOAD}.zip", content))


@pytest.mark.parametrize("inside", ["", f"{COMPETITION}.zip", "notes.txt", "a/b/trainset/P1/0.jpg"])
def test_a_folder_at_the_expected_place_without_the_data_is_refused(
    tmp_path: Path, inside: str
) -> None:
    (tmp_path / DOWNLOAD).mkdir(parents=True)
    if inside:
        write(tmp_path / DOWNLOAD / inside, ZIP)
    refused(tmp_path, tmp_path / DOWNLOAD)


def test_a_zip_of_another_name_within_a_zip_is_found(tmp_path: Path) -> None:
    refused(tmp_path, write(tmp_path / "data/raw/a.zip", zip_bytes({"b/c.zip": ZIP})))


@pytest.mark.parametrize("place", ["data", "data/raw"])
def test_a_dangling_link_in_place_of_the_kits_folders_stops_the_run(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).symlink_to(tmp_path / "unplugged disk")
    refused(tmp_path, tmp_path / place)


def test_a_dangling_link_to_the_download_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / DOWNLOAD).parent.mkdir(parents=True)
    (tmp_path / DOWNLOAD).symlink_to(tmp_path / "unplugged disk")
    refused(tmp_path, tmp_path / DOWNLOAD)


def test_other_data_of_the_kit_does_not_stop_the_run(tmp_path: Path) -> None:
    write(tmp_path / "data/raw/ALL_IDB2/Im001_1.tif", b"pixels")
    write(tmp_path / "data/raw/PBC_dataset_normal_DIB/lymphocyte/LY_1.jpg", b"pixels")
    write(tmp_path / "data/raw/ALL_IDB2.zip", zip_bytes({"ALL_IDB2/Im001_1.tif": b"pixels"}))
    write(tmp_path / "data/raw/.gitkeep", b"")
    write(
        tmp_path / "data/raw/others.zip", zip_bytes({"cells.zip": zip_bytes({"1.tif": b"pixels"})})
    )
    write(tmp_path / "data/lymphocytosis review.pdf", b"text")
    write(tmp_path / "dlmi-submission.csv", b"ID,LABEL")
    write(tmp_path / "data/weights/model.safetensors", b"weights")
    write(tmp_path / "results/demo/raw/trainset/SIM001/0.jpg", b"pixels")
    folder(tmp_path / "data" / "mine", SIMULATED)
    assert lookalikes(tmp_path) == []
    assert locate("auto", tmp_path).source is None


@pytest.mark.parametrize("wrapper", ["", "inside/"])
def test_simulated_patients_are_not_taken_for_the_download(tmp_path: Path, wrapper: str) -> None:
    path = write(tmp_path / f"{DOWNLOAD}.zip", zip_bytes({f"{wrapper}{TABLE}": SIMULATED}))
    refused(tmp_path, path)
    assert "simulated" in locate(str(path), tmp_path).because
    path.unlink()
    folder(tmp_path / DOWNLOAD / wrapper, SIMULATED)
    refused(tmp_path, tmp_path / DOWNLOAD)
    choice = locate(str(DOWNLOAD), tmp_path)
    assert choice.source == tmp_path / DOWNLOAD
    assert "SIM001" in choice.sentence()


def test_a_cohort_is_simulated_by_its_note_or_by_all_its_ids(tmp_path: Path) -> None:
    assert not is_simulated(folder(tmp_path / "real"))
    assert not is_simulated(folder(tmp_path / "mixed", SIMULATED + "1,P2,1,M,4/13/1950,7\n"))
    assert is_simulated(folder(tmp_path / "ids", SIMULATED))
    (tmp_path / "real" / SIMULATED_NOTE).touch()
    assert is_simulated(tmp_path / "real")
    of_sets = tmp_path / "sets"
    write(of_sets / SET_TABLES[0], SIMULATED.encode("utf-8-sig"))
    assert is_simulated(of_sets)
