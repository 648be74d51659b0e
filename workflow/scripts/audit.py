"""Audit the submission, and print the result of every check."""

from pathlib import Path

from rich.console import Console

from lymphokit.audit.findings import audit_table, passed_checks, raise_on_findings
from lymphokit.audit.submission_check import check_submission
from lymphokit.cohort.tables import read_patients, read_table
from lymphokit.files import read_json, write_json
from lymphokit.job import job

with job(snakemake):
    given = snakemake.input
    submission = check_submission(
        read_json(Path(given.receipt), "file", "sha256", "blend"),
        Path(),
        read_patients(given.patients),
        read_table(given.decisions),
        header=read_json(Path(given.header)),
    )
    checks = passed_checks(Path(given.leaks))
    audit = {**read_json(Path(given.leaks)), "checks": [*checks, submission.as_dict()]}
    Console(width=120).print(audit_table(audit["checks"]))
    raise_on_findings([submission])
    write_json(Path(snakemake.output.audit), audit)
