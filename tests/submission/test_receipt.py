"""A run that has nothing to do names a submission that was deleted or changed."""

import json
from pathlib import Path

import pytest

from lymphokit.provenance import file_sha256
from lymphokit.submission.receipt import lost_submission


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A submission with its receipt."""
    path = tmp_path / "a.csv"
    path.write_text("ID,LABEL\nP1,1\n")
    receipt = {"file": path.name, "sha256": file_sha256(path)}
    (tmp_path / "submission.json").write_text(json.dumps(receipt))
    return path


def found(csv: Path) -> str | None:
    return lost_submission(csv.parent / "submission.json", csv.parent)


def test_a_submission_in_its_place_and_none_yet_are_not_mentioned(csv: Path) -> None:
    assert found(csv) is None
    (csv.parent / "submission.json").unlink()
    assert found(csv) is None


def test_a_deleted_or_changed_submission_is_named_with_the_command(csv: Path) -> None:
    csv.write_text("ID,LABEL\nP1,0\n")
    changed = found(csv)
    csv.unlink()
    deleted = found(csv)
    for message, finding in ((changed, "changed"), (deleted, "deleted")):
        assert message is not None
        assert all(word in message for word in ("a.csv", finding, "snakemake -R submit"))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"file": 1, "sha256": "a"}'])
def test_a_damaged_receipt_is_named(csv: Path, content: bytes) -> None:
    receipt = csv.parent / "submission.json"
    receipt.write_bytes(content)
    message = found(csv)
    assert message is not None
    assert str(receipt) in message
