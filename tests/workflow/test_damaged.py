"""Files damaged after their job ended are named, and the command that is named repairs them."""

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.conftest import Checkout, copy_of

pytestmark = pytest.mark.xdist_group("killed")

HOME = "results/demo"


def zero_tail(path: Path) -> None:
    """As a crash leaves it before the system wrote the second half."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def lose_rows(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cohort/cells.csv": truncate,
    "imaging/segmented_128.npy": zero_tail,
    "features/autoencoder_segmented.safetensors": zero_tail,
    "features/autoencoder_segmented.npy": zero_tail,
    "fold1/pseudo_label/round2/added.csv": lose_rows,
}
READERS = {  # an output of a job that reads the damaged file
    "cohort/cells.csv": "confounders/artefacts.csv",
    "imaging/segmented_128.npy": "features/autoencoder_segmented.npy",
    "features/autoencoder_segmented.npy": "fold1/mi_svm/predictions.csv",
    "fold1/pseudo_label/round2/added.csv": "fold1/pseudo_label/round3/added.csv",
}


def damage(checkout: Checkout, file: str) -> None:
    """Damage a file and leave it the time it had."""
    path = checkout.folder / HOME / file
    before = path.stat()
    DAMAGES[file](path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def named_command(printed: str) -> list[str]:
    """The arguments of the command that a refusal names."""
    (command,) = set(re.findall(r"`snakemake (--force [^`]+)`", printed))
    _, *files = shlex.split(command)
    return [*files, "--force"]


@pytest.fixture
def copied(undisturbed: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the run with few models."""
    return copy_of(undisturbed, tmp_path / "copied")


@pytest.mark.parametrize("file", READERS)
def test_a_job_stops_at_a_damaged_file_and_the_named_command_repairs_it(
    copied: Checkout, file: str
) -> None:
    before = (copied.folder / HOME / file).read_bytes()
    damage(copied, file)
    command = named_command(copied.refusal(f"{HOME}/{READERS[file]}", "--force"))
    assert command == [f"{HOME}/{file}", "--force"]
    copied.run(*command)
    assert (copied.folder / HOME / file).read_bytes() == before
    copied.run(f"{HOME}/{READERS[file]}", "--force")


def test_the_audit_names_all_damaged_files_and_one_command_that_repairs_them(
    copied: Checkout,
) -> None:
    (submission,) = copied.submissions()
    for file in DAMAGES:
        damage(copied, file)
    printed = copied.refusal("submission", "-R", "leaks")
    assert copied.submissions() == [submission]
    command = named_command(printed)
    assert set(command) == {"--force", *(f"{HOME}/{file}" for file in DAMAGES)}
    copied.run(*command)
    copied.run("submission")
    assert {each.read_bytes() for each in copied.submissions()} == {submission.read_bytes()}
