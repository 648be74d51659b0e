"""SHA-256 of input files, and what else is known by a digest: a cache beside Snakemake's records.

A file is known by device, inode, size, time of modification and time of change. A program can set
the time of modification, and copies keep it, but the file system alone sets the time of change. A
new content is therefore noticed, whatever date it bears; a new date alone is read again and gives
the same digest.
"""

import atexit
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from lymphokit.errors import LymphokitError
from lymphokit.files import read_json, write_atomically
from lymphokit.provenance import file_sha256, file_status

CACHE = Path(".snakemake") / "lymphokit_digests.json"
_MOST = 1_500_000  # files remembered, 140 bytes each; the competition has 8,000, PBC 17,000
_SETTLED_SECONDS = 2.0  # a younger file may change again within the resolution of its times


class DigestCache:
    """Digests of files by their status, read from a file and written back by `save`."""

    def __init__(self, file: Path = CACHE) -> None:
        self._file = file.absolute()
        self._known = _read(file)
        self._changed = False

    def sha256(self, path: Path) -> str:
        """SHA-256 of the bytes of a file, links followed, in hexadecimal."""
        key = file_status(path)
        if key in self._known:
            return self._known[key]
        status = path.stat()
        digest = file_sha256(path)
        if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED_SECONDS:
            self._known[key] = digest
            self._changed = True
        return digest

    def remember(self, key: str, compute: Callable[[], str]) -> str:
        """What `compute` returns, once for a key that names all that it depends on."""
        if key not in self._known:
            self._known[key] = compute()
            self._changed = True
        return self._known[key]

    def save(self) -> None:
        """Write new digests; a folder that cannot be written only costs time at the next start."""
        if not self._changed:
            return
        recent = dict(list(self._known.items())[-_MOST:])
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(recent).encode())
        except OSError:
            return
        self._changed = False


@cache
def shared() -> DigestCache:
    """The cache of this process in the working folder, saved when the process ends."""
    digests = DigestCache()
    atexit.register(digests.save)
    return digests


def _read(file: Path) -> dict[str, str]:
    """The digests in a file, none where it is missing or damaged."""
    try:
        known = read_json(file)
    except LymphokitError:
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, str)}
