"""A digest is computed once a file, and again after any change of its content."""

import hashlib
import os
from pathlib import Path

import pytest

from lymphokit import digest_cache
from lymphokit.digest_cache import DigestCache


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files read so far; every file is old enough to be remembered."""
    done: list[Path] = []

    def read(path: Path) -> str:
        done.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(digest_cache, "file_sha256", read)
    monkeypatch.setattr(digest_cache, "_SETTLED_SECONDS", -1.0)
    return done


def test_an_unchanged_file_is_read_once_by_all_runs(tmp_path: Path, reads: list[Path]) -> None:
    file = tmp_path / "a.zip"
    file.write_text("one")
    for _ in range(2):
        digests = DigestCache(tmp_path / "cache" / "digests.json")
        assert digests.sha256(file) == hashlib.sha256(b"one").hexdigest()
        digests.save()
    assert reads == [file]


def test_a_touched_file_has_the_same_digest(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_text("one")
    digests = DigestCache(tmp_path / "digests.json")
    before = digests.sha256(file)
    os.utime(file, (1.0, 1.0))
    assert digests.sha256(file) == before


@pytest.mark.parametrize("in_place", [True, False])
def test_another_content_of_the_same_size_and_date_is_noticed(
    tmp_path: Path, reads: list[Path], in_place: bool
) -> None:
    file = tmp_path / "a.zip"
    file.write_text("one")
    os.utime(file, (1.0, 1.0))
    digests = DigestCache(tmp_path / "digests.json")
    before = digests.sha256(file)
    if not in_place:
        file.unlink()
    file.write_text("two")
    os.utime(file, (1.0, 1.0))
    assert digests.sha256(file) != before


def test_a_young_file_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_text("one")
    digests = DigestCache(tmp_path / "digests.json")
    digests.sha256(file)
    digests.save()
    assert not (tmp_path / "digests.json").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff{", b'{"a'])
def test_a_damaged_cache_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "digests.json").write_bytes(content)
    (tmp_path / "a.zip").write_text("one")
    digest = DigestCache(tmp_path / "digests.json").sha256(tmp_path / "a.zip")
    assert digest == hashlib.sha256(b"one").hexdigest()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, reads: list[Path]) -> None:
    (tmp_path / "taken").write_text("a file where the cache's folder would be")
    digests = DigestCache(tmp_path / "taken" / "digests.json")
    digests.sha256(tmp_path / "taken")
    digests.save()
    assert len(reads) == 1
