"""A folder of labelled cells: what serves, what does not, and how it is split."""

from pathlib import Path

import pytest

from lymphokit.cohort.labelled_cells import LabelledCell, list_cells, locate, require_parts, split
from lymphokit.cohort.raw import RawChoice
from lymphokit.errors import CohortError, ConfigError

DEMO = RawChoice("demo", None, False, "")


def folder_with(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def cells(blasts: int, healthy: int) -> list[LabelledCell]:
    numbered = [(number, int(number < blasts)) for number in range(blasts + healthy)]
    return [LabelledCell(f"Im{number:03d}_{label}.tif", label) for number, label in numbered]


def test_the_label_stands_in_the_name(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "Im10_0.tif", "Im002_1.tif", "Im1_1.TIF", ".DS_Store")
    home, found = list_cells(folder)
    assert home == folder
    assert [(cell.file, cell.label) for cell in found] == [
        ("Im1_1.TIF", 1),
        ("Im002_1.tif", 1),
        ("Im10_0.tif", 0),
    ]


def test_images_in_a_folder_img_are_found(tmp_path: Path) -> None:
    folder_with(tmp_path / "img", "Im001_1.tif", "Im002_0.tif")
    assert list_cells(tmp_path)[0] == tmp_path / "img"


def test_all_faults_of_names_are_listed_at_once(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "Im001_1.tif", "Im001_0.tif", "cell7.tif", "Im003_2.tif")
    with pytest.raises(CohortError) as caught:
        list_cells(folder)
    told = str(caught.value)
    assert "Im001_1.tif has the number of Im001_0.tif" in told
    assert "cell7.tif has no label" in told
    assert "Im003_2.tif has no label" in told
    assert "ImNNN_1.tif (a blast)" in told


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="holds no healthy cell"):
        list_cells(folder_with(tmp_path, "Im001_1.tif", "Im002_1.tif"))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="holds no image"):
        list_cells(folder_with(tmp_path, ".DS_Store"))


def test_the_parts_are_balanced_and_apart() -> None:
    parts = split(cells(130, 130), train=200, validation=60, seed=3)
    for part, size in (("train", 200), ("validation", 60)):
        assert len(parts[part]) == size
        assert sum(cell.label for cell in parts[part]) == size // 2
    assert not set(parts["train"]) & set(parts["validation"])


def test_the_seed_alone_decides_the_parts() -> None:
    once, again, other = (split(cells(40, 40), train=20, validation=10, seed=s) for s in (1, 1, 2))
    assert once == again
    assert once != other


def test_an_odd_part_has_one_healthy_cell_more() -> None:
    parts = split(cells(9, 9), train=7, validation=2, seed=0)
    assert sum(cell.label for cell in parts["train"]) == 3


def test_too_few_cells_of_a_label_are_refused_by_number() -> None:
    with pytest.raises(CohortError, match="12 blast cells, too few for 10 to train on and 4"):
        split(cells(12, 130), train=20, validation=8, seed=0)


def test_the_check_at_the_start_finds_too_few(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "Im001_1.tif", "Im002_0.tif")
    require_parts(folder_with(tmp_path, "Im003_1.tif", "Im004_0.tif"), parts(2, 2))
    with pytest.raises(CohortError, match="too few"):
        require_parts(folder, parts(4, 2))


def parts(train: int, validation: int) -> dict[str, int]:
    return {"labelled_train": train, "labelled_validation": validation}


def test_auto_is_the_simulated_set(tmp_path: Path) -> None:
    assert locate("auto", DEMO, tmp_path) == tmp_path / "results/demo/raw/labelled_cells"
    assert locate("none", DEMO, tmp_path) is None


def test_auto_finds_all_idb2_beside_a_download_or_nothing(tmp_path: Path) -> None:
    source = tmp_path / "downloads" / "competition"
    source.mkdir(parents=True)
    download = RawChoice("competition", source, False, "")
    assert locate("auto", download, tmp_path) is None
    beside = folder_with(tmp_path / "downloads" / "ALL_IDB2")
    assert locate("auto", download, tmp_path) == beside
    own = folder_with(tmp_path / "data" / "raw" / "ALL_IDB2")
    assert locate("auto", download, tmp_path) == own


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'cells/none' is no folder"):
        locate("cells/none", DEMO, tmp_path)
