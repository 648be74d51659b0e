"""The receipt of a submission: is the CSV that it names still there, and unchanged?

Standard library only: the Snakefile reads the receipt at the start of a run, which has nothing to
do once there is a receipt.
"""

from pathlib import Path

from lymphokit.errors import LymphokitError
from lymphokit.files import read_json
from lymphokit.folders import is_regular
from lymphokit.provenance import file_sha256

_AGAIN = "type `snakemake -R submit` to write the submission again"


def lost_submission(receipt: Path, root: Path) -> str | None:
    """What happened to the CSV of a receipt, and the remedy; None where nothing did.

    root: the folder that the receipt's path starts from. Without a receipt nothing was written yet.
    """
    if not receipt.exists():
        return None
    try:
        content = read_json(receipt, "file", "sha256")
        file, sha256 = root / content["file"], content["sha256"]
    except (LymphokitError, TypeError):
        return f"{receipt} cannot be read: {_AGAIN}"
    if not is_regular(file):
        return f"{content['file']} was deleted: {_AGAIN}"
    return f"{content['file']} was changed: {_AGAIN}" if file_sha256(file) != sha256 else None
