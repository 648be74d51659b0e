"""Data from Kaggle, from a server on loopback: in place whole and checked, or nothing changed."""

import io
import re
import shutil
import sys
import zipfile
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from lymphokit.cli import main
from lymphokit.cohort.raw import COMPETITION, DOWNLOAD, locate
from tests.desk.kaggle_server import Board, Server

LABELLED, BLOOD = "nikhilsharma00/leukemia-dataset", "unclesamulus/blood-cells-image-dataset"
ALL_IDB2, PBC = DOWNLOAD.parent / "ALL_IDB2", DOWNLOAD.parent / "PBC_dataset_normal_DIB"


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return stream.getvalue()


def image(name: str) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(crc32(name.encode())).integers(0, 256, (8, 8, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def images(*names: str) -> bytes:
    return zipped(**{name: image(name) for name in names})


def cohort(kit: Path, wrapper: str = "") -> bytes:
    """A download with patients whose ids are not those of a simulated cohort."""
    main(["simulate", str(kit / "drawn"), "--seed", "1"])
    files = {}
    for path in sorted((kit / "drawn").rglob("*")):
        if path.is_file() and path.name != "SIMULATED.txt":
            content = path.read_bytes()
            name = path.relative_to(kit / "drawn").as_posix()
            is_table = path.suffix == ".csv"
            files[wrapper + name.replace("SIM", "PAT")] = (
                content.replace(b"SIM", b"PAT") if is_table else content
            )
    shutil.rmtree(kit / "drawn")
    shutil.rmtree(kit / "drawn-truth")
    return zipped(**files)


def listing(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("wrapper", ["", "dlmi/"])
def test_the_competition_is_placed_where_a_run_finds_it_and_only_once(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str], wrapper: str
) -> None:
    board.files[COMPETITION] = cohort(kit, wrapper)
    assert main(["fetch", "competition"]) == 0
    assert "10 labelled patients" in capsys.readouterr().out
    assert locate("auto", kit).source == kit / DOWNLOAD
    assert [path.name for path in (kit / "data" / "raw").iterdir()] == [COMPETITION]
    asked = list(board.calls)
    assert main(["fetch", "competition"]) == 0
    assert board.calls == asked


def test_a_download_that_breaks_off_goes_on_where_it_broke(kit: Path, board: Board) -> None:
    chunk = 2**20  # the client's
    stream = io.BytesIO(cohort(kit))
    with zipfile.ZipFile(stream, "a") as file:
        file.writestr("readme.txt", np.random.default_rng(1).bytes(3 * chunk))
    board.files[COMPETITION] = stream.getvalue()
    board.cut, board.always_cut = 2 * chunk + 5, True
    assert main(["fetch", "competition"]) == 1
    assert not (kit / DOWNLOAD).exists()
    board.cut, board.ranges = None, []
    assert main(["fetch", "competition"]) == 0
    assert board.ranges == [f"bytes={2 * chunk}-"]


@pytest.mark.parametrize("content", [b"<html>log in</html>", b"", b"PK\x03\x04 and no more"])
def test_a_damaged_zip_is_refused_and_fetched_anew(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    board.files[COMPETITION] = content
    assert main(["fetch", "competition"]) == 1
    assert "zip" in capsys.readouterr().err
    assert not (kit / DOWNLOAD).exists()
    board.files[COMPETITION] = cohort(kit)
    assert main(["fetch", "competition"]) == 0


def test_a_member_that_leads_out_of_the_folder_is_refused(kit: Path, board: Board) -> None:
    board.files[COMPETITION] = zipped(**{"trainset/../../../evil.csv": b"x"})
    assert main(["fetch", "competition"]) == 1
    assert not list(kit.rglob("evil.csv"))


def test_another_competition_has_a_place_of_its_name(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    config = kit / "config.yaml"
    config.write_text(
        config.read_text().replace(f"competition: {COMPETITION}", "competition: gone")
    )
    assert main(["fetch", "competition"]) == 1  # a name that Kaggle does not know
    config.write_text(config.read_text().replace("competition: gone", "competition: next-edition"))
    board.files["next-edition"] = cohort(kit)
    capsys.readouterr()
    assert main(["fetch", "competition"]) == 0
    place = DOWNLOAD.with_name("next-edition")
    assert f"raw: {place}" in capsys.readouterr().out
    assert locate(str(place), kit).cohort == "next-edition"


def test_a_corrected_name_is_fetched_beside_what_was_left(kit: Path, board: Board) -> None:
    config = kit / "config.yaml"
    board.files["someone/cats"] = images("cats/1.png")
    before = config.read_text()
    config.write_text(before.replace(LABELLED, "someone/cats"))
    assert main(["fetch", "labelled-cells"]) == 1
    config.write_text(before)
    board.files[LABELLED] = images(*(f"Im{n:03d}_{n % 2}.png" for n in range(4)))
    assert main(["fetch", "labelled-cells"]) == 0
    assert [path.name for path in (kit / "data" / "raw").iterdir()] == [ALL_IDB2.name]


def test_another_download_than_the_competitions_is_not_placed(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    board.files[COMPETITION] = images("cats/1.png")
    assert main(["fetch", "competition"]) == 1
    assert "kaggle" in capsys.readouterr().err
    assert not (kit / DOWNLOAD).exists()


def test_faults_of_the_data_are_reported_once_it_is_in_place(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    content = io.BytesIO(cohort(kit))
    with zipfile.ZipFile(content, "a") as file:
        file.writestr("trainset/PAT001/damaged.jpg", b"")
    board.files[COMPETITION] = content.getvalue()
    assert main(["fetch", "competition"]) == 1
    assert "damaged.jpg" in capsys.readouterr().err
    assert (kit / DOWNLOAD).is_dir()


@pytest.mark.parametrize("what", ["competition", "labelled-cells", "blood-cells"])
@pytest.mark.parametrize("form", ["folder", "file", "broken link"])
def test_what_is_in_the_place_is_never_replaced(
    kit: Path, board: Board, what: str, form: str
) -> None:
    places = {"competition": DOWNLOAD, "labelled-cells": ALL_IDB2, "blood-cells": PBC}
    place = kit / places[what]
    place.parent.mkdir(parents=True)
    if form == "folder":
        place.mkdir()
        (place / "mine.txt").write_text("mine")
    elif form == "file":
        place.write_text("mine")
    else:
        place.symlink_to(kit / "nowhere")
    before = listing(kit)
    board.files = {COMPETITION: cohort(kit), LABELLED: images("Im001_1.png", "Im002_0.png")}
    assert main(["fetch", what]) == 1
    assert board.calls == []
    assert listing(kit) == before
    assert place.is_symlink() == (form == "broken link")


def test_a_zip_in_the_place_is_the_competitions_data(kit: Path, board: Board) -> None:
    zip_file = kit / DOWNLOAD.with_name(f"{COMPETITION}.zip")
    zip_file.parent.mkdir(parents=True)
    zip_file.write_bytes(content := cohort(kit))
    assert main(["fetch", "competition"]) == 0
    assert (board.calls, zip_file.read_bytes()) == ([], content)


@pytest.mark.parametrize(
    "above", ["", "ALL_IDB2/", "ALL_IDB2/img/", "Leukemia/all-idb2/", "a/ALL_IDB2/ALL_IDB2/"]
)
def test_labelled_cells_are_found_wherever_the_zip_has_them(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str], above: str
) -> None:
    names = [f"{above}Im{number:03d}_{number % 2}.png" for number in range(4)]
    others = ["ALL_IDB1/im/Im001_1.png", "ALL_IDB1/im/Im002_0.png"] if above else []
    board.files[LABELLED] = images(*names, *others)
    assert main(["fetch", "labelled-cells"]) == 0
    assert "4 labelled cells" in capsys.readouterr().out
    assert len(list((kit / ALL_IDB2).rglob("*.png"))) == 4


def test_blood_cells_are_found_wherever_the_zip_has_them(kit: Path, board: Board) -> None:
    names = [f"set/cells/{kind}/{number}.png" for kind in ("ig", "blast") for number in range(3)]
    board.files[BLOOD] = images(*names)
    assert main(["fetch", "blood-cells"]) == 0
    assert len(list((kit / PBC).rglob("ig/*.png"))) == 3


def test_a_zip_with_several_sets_of_cells_is_not_guessed_at(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [f"{part}/{kind}/{n}.png" for part in ("a", "b") for kind in ("x", "y") for n in (1, 2)]
    board.files[BLOOD] = images(*parts)
    assert main(["fetch", "blood-cells"]) == 1
    assert re.search("a, b", capsys.readouterr().err)
    assert not (kit / PBC).exists()


REFUSED = {
    401: "KAGGLE_API_TOKEN",
    403: "rules",
    404: "config.yaml",
    429: "wait",
    500: "kaggle.com",
}


@pytest.mark.parametrize("status", REFUSED)
def test_a_refusal_is_one_sentence_with_its_remedy(
    kit: Path, board: Board, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    board.refusals["DownloadDataFiles"] = (status, "because")
    assert main(["fetch", "competition"]) == 1
    printed = capsys.readouterr()
    assert REFUSED[status] in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


def test_without_credentials_package_or_network_one_sentence_has_the_remedy(
    kit: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KAGGLE_KEY", "another")
    assert main(["fetch", "competition"]) == 1
    wrong = capsys.readouterr().err
    monkeypatch.delenv("KAGGLE_KEY")
    assert main(["fetch", "competition"]) == 1
    missing = capsys.readouterr().err
    assert all("https://www.kaggle.com/settings" in each for each in (wrong, missing))
    monkeypatch.setenv("KAGGLE_KEY", "x")
    server.shutdown()
    server.server_close()
    assert main(["fetch", "competition"]) == 1
    unreachable = capsys.readouterr().err
    assert "network" in unreachable
    monkeypatch.setitem(sys.modules, "kaggle", None)
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", None)
    assert main(["fetch", "competition"]) == 1
    absent = capsys.readouterr().err
    assert "pip install" in absent
    assert all(len(each.splitlines()) == 1 for each in (wrong, missing, unreachable, absent))
