"""Is each file behind a submission still as the job that made it wrote it?"""

from collections.abc import Iterable
from pathlib import Path

from lymphokit.audit.findings import Check, counted
from lymphokit.errors import Fault
from lymphokit.integrity import Record, content_sha256, finding, read_record, remedy


def check_digests(files: Iterable[str], home: Path) -> Check:
    """Read the given files and all that they were made from, and compare their digests.

    home: results/<cohort>, whose files have a record each, unless they are from before there were
    records. A file that was deleted since is counted and is no finding.
    """
    chain = _Chain(home)
    chain.follow(files)
    remedies = remedy(*(Path(path) for path in chain.findings))
    faults = [Fault(path, text, remedies) for path, text in chain.findings.items()]
    compared = (
        f"{counted(chain.n_compared, 'file')} from the images to the decisions, "
        f"{len(faults)} of another content; {chain.n_unknown} without a digest, "
        f"{chain.n_deleted} deleted since"
    )
    return Check("digests", compared, tuple(faults))


class _Chain:
    """The files behind a submission, each compared once."""

    def __init__(self, home: Path) -> None:
        self.findings: dict[str, str] = {}
        self.n_compared = self.n_unknown = self.n_deleted = 0
        self._home = home
        self._records: dict[str, Record | None] = {}

    def follow(self, files: Iterable[str]) -> None:
        """Compare these files and all that they were made from."""
        waiting = list(files)
        while waiting:
            path = waiting.pop()
            if path not in self._records:
                record = self._records[path] = read_record(Path(path))
                if record is None:
                    self.n_unknown += Path(path).is_relative_to(self._home)  # else given by people
                else:
                    self._compare(path, record)
                    waiting += record.inputs
        for path, record in self._records.items():
            self._compare_inputs(path, record)

    def _compare(self, path: str, record: Record) -> None:
        if not Path(path).exists():
            self.n_deleted += 1
            return
        self.n_compared += 1
        found = content_sha256(Path(path))
        if found != record.sha256:
            self.findings[path] = finding(record, found)

    def _compare_inputs(self, path: str, record: Record | None) -> None:
        """A file is made from what its inputs are now: none was made again without it."""
        for name, sha256 in record.inputs.items() if record else ():
            now = self._records[name]
            if now and sha256 not in (None, now.sha256):
                self.findings.setdefault(path, f"was made from another {name} than there is now")
