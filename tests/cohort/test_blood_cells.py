"""A folder a type: what serves, what does not, and how it is split."""

from pathlib import Path

import pytest

from lymphokit.cohort.blood_cells import BloodCell, list_cells, locate, require_parts, split
from lymphokit.cohort.raw import RawChoice
from lymphokit.errors import CohortError, ConfigError


def folder_with(folder: Path, **types: int) -> Path:
    """So many images of each type, and what systems and people leave beside them."""
    for name, number in types.items():
        (folder / name).mkdir(parents=True)
        for place in range(number):
            (folder / name / f"{name[:2].upper()}_{place}.jpg").touch()
        (folder / name / ".DS_169665.jpg").touch()
    return folder


def cells(**types: int) -> list[BloodCell]:
    return [
        BloodCell(f"{name}/{place}.jpg", name)
        for name, number in types.items()
        for place in range(number)
    ]


def test_the_type_is_the_name_of_the_folder(tmp_path: Path) -> None:
    folder_with(tmp_path, platelet=11, basophil=1)
    (tmp_path / "readme.txt").touch()
    (tmp_path / "__MACOSX").mkdir()
    home, found = list_cells(tmp_path)
    assert home == tmp_path
    assert found[0] == BloodCell("basophil/BA_0.jpg", "basophil")
    platelets = [cell.file for cell in found if cell.type == "platelet"]
    assert platelets == [f"platelet/PL_{place}.jpg" for place in range(11)]
    assert len(found) == 12


def test_a_folder_that_wraps_all_types_is_looked_into(tmp_path: Path) -> None:
    folder_with(tmp_path / "PBC_dataset_normal_DIB", ig=2, neutrophil=2)
    home, found = list_cells(tmp_path)
    assert home == tmp_path / "PBC_dataset_normal_DIB"
    assert {cell.type for cell in found} == {"ig", "neutrophil"}


@pytest.mark.parametrize(
    ("types", "told"),
    [
        ({}, "holds no folder of a type"),
        ({"monocyte": 5}, "holds monocyte alone"),
        ({"monocyte": 5, "ig": 0}, "ig holds no image"),
    ],
)
def test_an_unusable_folder_is_refused_with_a_remedy(
    tmp_path: Path, types: dict[str, int], told: str
) -> None:
    with pytest.raises(CohortError, match=told):
        list_cells(folder_with(tmp_path, **types))


def test_every_type_gives_the_same_share_to_validation() -> None:
    own = cells(basophil=100, ig=10, platelet=3)
    parts = split(own, validation=0.2, seed=3)
    held_out = [cell.type for cell in parts["validation"]]
    assert {name: held_out.count(name) for name in set(held_out)} == {
        "basophil": 20,
        "ig": 2,
        "platelet": 1,
    }
    assert {*parts["train"], *parts["validation"]} == set(own)
    assert len(parts["train"]) + len(parts["validation"]) == len(own)


def test_the_seed_alone_decides_the_parts() -> None:
    own = cells(basophil=40, ig=40)
    once, again, other = (split(own, validation=0.2, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_a_type_with_too_few_cells_is_refused_by_number(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="1 of ig, too few") as caught:
        split(cells(basophil=9, ig=1, platelet=1), validation=0.2, seed=0)
    assert "1 of platelet, too few" in str(caught.value)
    assert "basophil" not in str(caught.value)
    with pytest.raises(CohortError, match="too few"):
        require_parts(folder_with(tmp_path, basophil=9, ig=1), 0.2)


def test_auto_is_the_simulated_set_or_pbc_beside_a_download(tmp_path: Path) -> None:
    simulated = RawChoice("demo", None, False, "")
    assert locate("auto", simulated, tmp_path) == tmp_path / "results/demo/raw/blood_cells"
    source = tmp_path / "downloads" / "competition"
    source.mkdir(parents=True)
    download = RawChoice("competition", source, False, "")
    assert locate("auto", download, tmp_path) is None
    beside = tmp_path / "downloads" / "PBC_dataset_normal_DIB"
    beside.mkdir()
    assert locate("auto", download, tmp_path) == beside


def test_a_path_that_leads_nowhere_is_refused_by_the_name_of_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"blood_cells\.folder: 'no/where' is no folder"):
        locate("no/where", RawChoice("demo", None, False, ""), tmp_path)


def test_the_published_images_are_found(real_data: Path) -> None:
    _, found = list_cells(real_data / "pbc")
    assert len(found) == 800
    assert len({cell.type for cell in found}) == 8
