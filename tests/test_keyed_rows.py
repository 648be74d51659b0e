"""Rows kept from earlier runs: each found by what it was computed from, and by nothing else."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lymphokit.errors import BankError
from lymphokit.keyed_rows import Positions, RowFile, recipe_of, row_keys, write_rows

RECIPE = {"side": 224}


@dataclass
class Download:
    """Images in a folder, of which an image's row is computed from its bytes; counts the work."""

    folder: Path
    images: dict[str, bytes]
    recipe: dict[str, Any] = field(default_factory=lambda: RECIPE)
    computed: list[str] = field(default_factory=list)
    fails_after: int = 1000

    @property
    def files(self) -> list[RowFile]:
        """Two files, of numbers and of letters."""
        return [
            RowFile(self.folder / "numbers.npy", (3,), np.float32),
            RowFile(self.folder / "letters.npy", (2, 2), np.uint8),
        ]

    def compute(self, positions: Positions) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Two rows at a time."""
        names = list(self.images)
        for start in range(0, len(positions), 2):
            if start >= self.fails_after:
                raise KeyboardInterrupt
            these = [names[at] for at in positions[start : start + 2]]
            self.computed += these
            rows = [expected(self.images[name]) for name in these]
            yield np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows])

    def write(self, beside: Iterable[bytes] | None = None) -> list[str]:
        """Write the files; the images whose rows were computed."""
        paths = [self.folder / name for name in self.images]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.images[path.name])
        self.computed.clear()
        keys = row_keys(self.recipe, paths, *([beside] if beside else []))
        assert write_rows(self.files, keys, self.compute) == len(self.computed)
        assert self.is_right()
        return list(self.computed)

    def is_right(self) -> bool:
        """Whether the files are those that NumPy would save, row by row."""
        rows = [expected(content) for content in self.images.values()]
        written = [np.load(file.path) for file in self.files]
        return all(
            np.array_equal(array, np.stack([row[at] for row in rows]))
            for at, array in enumerate(written)
        )


def expected(content: bytes) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    numbers = np.frombuffer(content[:3], np.uint8).astype(np.float32) / 7
    return numbers, np.frombuffer(content[:4], np.uint8).reshape(2, 2)


@pytest.fixture
def download(tmp_path: Path) -> Download:
    return Download(tmp_path / "rows", {name: f"{name}-image".encode() for name in "abcde"})


def test_the_first_run_computes_all_rows_in_their_order(download: Download) -> None:
    assert download.write() == list("abcde")


def test_a_second_run_computes_none(download: Download) -> None:
    download.write()
    assert download.write() == []


def test_added_images_alone_are_computed_wherever_they_stand(download: Download) -> None:
    download.write()
    for file in download.files:  # as Snakemake does before a job
        file.path.unlink()
    download.images = {"0": b"0000", **download.images, "x": b"xxxx", "c2": b"cccc"}
    assert download.write() == ["0", "x", "c2"]


def test_a_changed_image_of_the_same_name_is_computed_anew(download: Download) -> None:
    download.write()
    download.images["c"] = b"another"
    assert download.write() == ["c"]


def test_a_moved_image_is_known_by_its_content(download: Download) -> None:
    download.write()
    renamed = {name.upper(): content for name, content in reversed(download.images.items())}
    download.images = renamed
    assert download.write() == []


def test_rows_of_removed_images_are_dropped(download: Download) -> None:
    download.write()
    gone = download.images.pop("b")
    assert download.write() == []
    held = sum(path.stat().st_size for path in download.folder.rglob("*.index"))
    assert held == 4 * 64
    download.images["b"] = gone
    assert download.write() == ["b"]


@pytest.mark.parametrize("recipe", [{"side": 225}, {"side": 224, "weights": "b"}, {}])
def test_other_settings_find_nothing(download: Download, recipe: dict[str, Any]) -> None:
    download.write()
    download.recipe = recipe
    assert download.write() == list("abcde")


def test_what_lies_beside_an_image_is_part_of_its_key(download: Download) -> None:
    download.write([b"mask"] * 5)
    assert download.write([b"mask"] * 5) == []
    assert download.write([b"mask", b"mask", b"other", b"mask", b"mask"]) == ["c"]


def test_a_byte_that_moves_from_an_image_to_its_mask_makes_another_key(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xy")
    (tmp_path / "b").write_bytes(b"x")
    first, second = row_keys(RECIPE, [tmp_path / "a", tmp_path / "b"], [b"z", b"yz"])
    assert first != second


def test_the_recipe_has_all_params_but_the_digest_of_all_images() -> None:
    params = {"contents": "a", "code": "1"}
    assert recipe_of(params) == recipe_of({**params, "contents": "b"})
    assert recipe_of(params) != recipe_of({**params, "code": "2"})
    assert recipe_of(params, weights="a") != recipe_of(params, weights="b")


@pytest.mark.parametrize("file", ["numbers.npy", "letters.npy"])
@pytest.mark.parametrize("row", range(5))
def test_a_damaged_row_is_computed_anew(download: Download, file: str, row: int) -> None:
    download.write()
    path = download.folder / ".rows" / file
    content = bytearray(path.read_bytes())
    row_bytes = (len(content) - 128) // 5
    content[128 + row * row_bytes + 1] ^= 1
    path.write_bytes(content)
    assert download.write() == ["abcde"[row]]


@pytest.mark.parametrize("name", ["numbers.npy", "letters.npy", "numbers.index"])
@pytest.mark.parametrize("kept_bytes", [0, 5, 127, 130, 140])
def test_a_cut_off_file_never_gives_wrong_rows(
    download: Download, name: str, kept_bytes: int
) -> None:
    download.write()
    path = download.folder / ".rows" / name
    path.write_bytes(path.read_bytes()[:kept_bytes])
    assert download.write()


@pytest.mark.parametrize("n_zeros", [1, 30])
def test_a_file_whose_header_is_damaged_is_as_none(download: Download, n_zeros: int) -> None:
    download.write()
    path = download.folder / ".rows" / "letters.npy"
    path.write_bytes(b"\0" * n_zeros + path.read_bytes()[n_zeros:])
    assert download.write() == list("abcde")


def test_the_files_and_those_kept_are_the_same_on_disk(download: Download) -> None:
    download.write()
    for file in download.files:
        assert file.path.samefile(file.kept())


def interrupted(download: Download, after: int) -> None:
    """A run that is killed when it has computed so many rows."""
    download.fails_after = after
    with pytest.raises(KeyboardInterrupt):
        download.write()
    assert not any(file.path.exists() for file in download.files)
    download.fails_after = 1000


def test_an_interrupted_run_goes_on_where_it_was(download: Download) -> None:
    interrupted(download, 2)
    interrupted(download, 2)
    assert download.write() == ["e"]
    kept = {path.name for path in (download.folder / ".rows").iterdir()}
    assert kept == {"numbers.npy", "letters.npy", "numbers.index"}


def test_an_interrupted_run_goes_on_although_the_images_have_changed(download: Download) -> None:
    interrupted(download, 4)
    download.images = {"0": b"0000", **download.images}
    assert download.write() == ["0", "e"]


def test_half_a_row_at_the_end_of_an_interrupted_run_is_cut_off(download: Download) -> None:
    interrupted(download, 4)
    for name in ("numbers.npy.part", "numbers.index.part"):
        with (download.folder / ".rows" / name).open("ab") as file:
            file.write(b"half")
    assert download.write() == ["e"]


def test_zeros_that_a_power_cut_left_in_place_of_a_row_are_noticed(download: Download) -> None:
    interrupted(download, 4)
    path = download.folder / ".rows" / "letters.npy.part"
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\0" * 4)
    assert download.write() == ["d", "e"]


@pytest.mark.parametrize("change", [-1, 1])
def test_fewer_or_more_rows_than_asked_for_are_an_error(download: Download, change: int) -> None:
    keys = np.array([b"a", b"b", b"c"], "S32")

    def compute(positions: Positions) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        n = len(positions) + change
        yield np.zeros((n, 3)), np.zeros((n, 2, 2))

    with pytest.raises(BankError, match="make it again"):
        write_rows(download.files, keys, compute)
    assert not any(file.path.exists() for file in download.files)


def test_rows_of_another_shape_are_refused(download: Download) -> None:
    keys = np.array([b"a"], "S32")
    with pytest.raises(ValueError, match=r"rows of shape \(4,\)"):
        write_rows(download.files, keys, lambda _: [(np.zeros((1, 4)), np.zeros((1, 2, 2)))])


def test_without_hard_links_the_files_are_written_and_all_rows_computed_again(
    download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links on this file system")

    monkeypatch.setattr("os.link", refuse)
    download.write()
    assert download.write() == list("abcde")
