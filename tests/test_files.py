import json
from pathlib import Path

import pytest

from lymphokit import files


def test_a_write_that_fails_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")

    def disk_full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(files.os, "fsync", disk_full)
    with pytest.raises(OSError, match="no space"):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_indented_and_ends_with_a_newline(tmp_path: Path) -> None:
    content = {"models": ["mean", "stack"], "seed": 2021, "features": None}
    path = tmp_path / "record.json"
    files.write_json(path, content)
    assert json.loads(path.read_text()) == content
    assert path.read_text().splitlines()[:2] == ["{", '  "models": [']
    assert path.read_text().endswith("}\n")
