"""Zips that come from elsewhere: unpacked whole, or refused without a trace."""

import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lymphokit.cohort import archive
from lymphokit.cohort.raw import unpack
from lymphokit.errors import CohortError

MEMBERS = {
    "clinical_annotation.csv": b",ID\n0,P1\n",
    "trainset/P1/000000.jpg": b"pixels",
    "testset/P2/000000.PNG": b"more pixels",
}


def make_zip(
    path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(zip_file: Path, into: Path) -> str:
    """The message with which a zip is refused; nothing of it may be left behind."""
    before = tree(zip_file.parent)
    with pytest.raises(CohortError) as error:
        unpack(zip_file, into)
    assert tree(zip_file.parent) == before
    assert not into.exists()
    assert str(error.value).startswith(f"{zip_file.name}: ")
    return str(error.value)


@pytest.mark.parametrize("wrapper", ["", "dlmi-lymphocytosis-classification/"])
def test_a_zip_is_unpacked_without_its_wrapping_folder(tmp_path: Path, wrapper: str) -> None:
    path = make_zip(tmp_path / "a.zip", {wrapper + name: data for name, data in MEMBERS.items()})
    assert unpack(path, tmp_path / "deep" / "raw") == ()
    assert tree(tmp_path / "deep") == {f"raw/{name}": data for name, data in MEMBERS.items()}


def test_a_lone_set_is_not_mistaken_for_a_wrapping_folder(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"trainset/P1/0.jpg": b"x", "trainset/P2/0.jpg": b"y"})
    unpack(path, tmp_path / "raw")
    assert sorted(tree(tmp_path / "raw")) == ["trainset/P1/0.jpg", "trainset/P2/0.jpg"]


def test_files_outside_the_sets_that_are_no_tables_or_images_are_named(tmp_path: Path) -> None:
    hidden = {"__MACOSX/trainset/P1/._0.jpg": b"", "trainset/.DS_Store": b"", "Thumbs.db": b""}
    path = make_zip(tmp_path / "a.zip", MEMBERS | {"run.sh": b"#!"} | hidden)
    assert unpack(path, tmp_path / "raw") == ("run.sh",)
    assert tree(tmp_path / "raw") == MEMBERS


def test_files_in_the_sets_are_unpacked_for_the_check_to_report(tmp_path: Path) -> None:
    others = {"trainset/P1/notes.txt": b"n", "trainset/noextension": b"", "testset/P9/0.gif": b""}
    path = make_zip(tmp_path / "a.zip", MEMBERS | others)
    assert unpack(path, tmp_path / "raw") == ()
    assert tree(tmp_path / "raw") == MEMBERS | others


def test_unpacking_again_replaces_what_was_there(tmp_path: Path) -> None:
    stale = tmp_path / "raw" / "trainset" / "P9"
    stale.mkdir(parents=True)
    (stale / "old.jpg").write_bytes(b"old")
    unpack(make_zip(tmp_path / "a.zip", MEMBERS), tmp_path / "raw")
    assert tree(tmp_path / "raw") == MEMBERS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "raw"]


def test_what_a_killed_run_left_half_unpacked_does_not_stay(tmp_path: Path) -> None:
    half = tmp_path / ".raw.unpacking" / "trainset"
    half.mkdir(parents=True)
    (half / "half.jpg").write_bytes(b"")
    unpack(make_zip(tmp_path / "a.zip", MEMBERS), tmp_path / "raw")
    assert tree(tmp_path / "raw") == MEMBERS


def test_a_failed_unpacking_leaves_the_former_folder_alone(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", MEMBERS, zipfile.ZIP_STORED)
    unpack(path, tmp_path / "raw")
    path.write_bytes(path.read_bytes().replace(b"more pixels", b"lost pixels"))
    with pytest.raises(CohortError, match=r"P2/000000\.PNG.* cannot be unpacked"):
        unpack(path, tmp_path / "raw")
    assert tree(tmp_path / "raw") == MEMBERS
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zip", "raw"]


@pytest.mark.parametrize(
    "name",
    [
        "../evil.csv",
        "trainset/../../evil.csv",
        "/tmp/evil.csv",
        "..\\evil.csv",
        "C:\\evil.csv",
        "c:evil.csv",
        "\\\\host\\share\\evil.csv",
        "../evil.sh",
    ],
)
def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "a.zip", {"x.csv": b"", name: b"evil"})
    assert "leads out of its folder" in refused(path, tmp_path / "in" / "raw")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("trainset/P1/0.jpg")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    assert "a link or device" in refused(tmp_path / "a.zip", tmp_path / "raw")


def test_a_bomb_is_refused_by_what_comes_out_of_it(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"clinical_annotation.csv": bytes(30 * 1024**2)})
    assert "zip bomb" in refused(path, tmp_path / "raw")


def test_a_bomb_made_of_overlapping_members_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{i}.csv": bytes(1024**2) for i in range(4)})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        start, end = file.start_dir, len(data)
    first = data.index(b"PK\x01\x02", start)
    offset = first
    while (offset := data.find(b"PK\x01\x02", offset, end)) >= 0:
        data[offset + 42 : offset + 46] = bytes(4)  # every member's data is the first one's
        offset += 4
    path.write_bytes(data)
    assert "a.zip: is" in refused(path, tmp_path / "raw")


def test_total_size_is_limited_though_the_ratio_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    path = make_zip(tmp_path / "a.zip", {f"{i}.csv": os.urandom(300) for i in range(3)})
    unpack(path, tmp_path / "raw")
    more = make_zip(tmp_path / "b.zip", {f"{i}.csv": os.urandom(300) for i in range(4)})
    assert "unpacks to more than 1,000 bytes" in refused(more, tmp_path / "raw2")


def test_the_number_of_members_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 3)
    unpack(make_zip(tmp_path / "a.zip", MEMBERS), tmp_path / "raw")
    path = make_zip(tmp_path / "b.zip", MEMBERS | {"x.csv": b""})
    assert "4 members" in refused(path, tmp_path / "raw2")


def lie(path: Path, signature: bytes, offset: int, value: int) -> None:
    """Write another uncompressed size into a header of the first member."""
    data = bytearray(path.read_bytes())
    at = data.index(signature) + offset
    data[at : at + 4] = struct.pack("<L", value)
    path.write_bytes(data)


def test_a_member_larger_than_its_header_claims_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"x.csv": bytes(30 * 1024**2)})
    lie(path, b"PK\x01\x02", 24, 5)
    lie(path, b"PK\x03\x04", 22, 5)
    assert "'x.csv' cannot be unpacked" in refused(path, tmp_path / "raw")


def test_what_counts_is_what_comes_out_not_what_the_header_claims(tmp_path: Path) -> None:
    content = os.urandom(5000)
    path = make_zip(tmp_path / "a.zip", {"x.csv": content})
    lie(path, b"PK\x01\x02", 24, 10**9)
    unpack(path, tmp_path / "raw")
    assert tree(tmp_path / "raw") == {"x.csv": content}


def test_an_encrypted_zip_is_refused_with_its_remedy(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"x.csv": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[data.index(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(data)
    message = refused(path, tmp_path / "raw")
    assert "is encrypted" in message
    assert "password" in message


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_output_cannot_be_bounded_are_refused(
    tmp_path: Path, compression: int
) -> None:
    path = make_zip(tmp_path / "a.zip", {"x.csv": b"x"}, compression)
    assert "deflate" in refused(path, tmp_path / "raw")


def test_two_members_for_one_place_are_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a/x.csv": b"1", "a//x.csv": b"2", "b.csv": b""})
    assert "holds 'a/x.csv' twice" in refused(path, tmp_path / "raw")


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"P1.jpg": b"1", "P1.jpg/0.jpg": b"2"})
    assert "both as a file and as a folder" in refused(path, tmp_path / "raw")


@pytest.mark.parametrize("content", [b"", b"PK", b"<html>please log in</html>"])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert "download the zip again" in refused(tmp_path / "a.zip", tmp_path / "raw")


def test_a_cut_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", MEMBERS)
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in refused(path, tmp_path / "raw")


def test_a_zip_whose_directory_points_before_its_start_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", MEMBERS)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x05\x06") + 17] ^= 1
    path.write_bytes(data)
    assert "damaged" in refused(path, tmp_path / "raw")


def test_a_member_without_a_name_is_left_out(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", MEMBERS | {"x.csv": b""})
    path.write_bytes(path.read_bytes().replace(b"x.csv", b"\0.csv"))
    assert unpack(path, tmp_path / "raw") == ("",)
    assert tree(tmp_path / "raw") == MEMBERS


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_zip_damaged_at_random_is_unpacked_or_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = make_zip(tmp_path / "a.zip", MEMBERS)
    content = bytearray(path.read_bytes())
    places = st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)
    for at, value in data.draw(places):
        content[at] = value
    path.write_bytes(content)
    try:
        unpack(path, tmp_path / "home" / "raw")
    except CohortError:
        return
    outside = [entry.name for entry in tmp_path.iterdir()]
    assert sorted(outside) == ["a.zip", "home"]


@pytest.mark.parametrize("name", [".DS_Store", "._0.jpg", "Thumbs.db", "desktop.ini", "__MACOSX"])
def test_what_systems_leave_behind_is_hidden(name: str) -> None:
    assert archive.is_hidden(name)


@pytest.mark.parametrize("name", ["0.jpg", "notes.txt", "my Thumbs.db", "__MACOSX.csv"])
def test_other_names_are_not_hidden(name: str) -> None:
    assert not archive.is_hidden(name)
