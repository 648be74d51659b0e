"""Check the submission itself, and print what all checks compared."""

import json
from pathlib import Path

import pandas as pd
from rich.console import Console

from lymphokit.audit.findings import raise_on_findings
from lymphokit.audit.submission_check import check_submission
from lymphokit.audit.table import audit_table
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    given = snakemake.input
    submission = check_submission(
        json.loads(Path(given.receipt).read_text()),
        Path(),
        pd.read_csv(given.patients, dtype={"patient": str}),
        pd.read_csv(given.decisions, dtype={"patient": str}),
        header=json.loads(Path(given.header).read_text()),
    )
    leaks = json.loads(Path(given.leaks).read_text())
    audit = {**leaks, "checks": [*leaks["checks"], submission.as_dict()]}
    Console(width=120).print(audit_table(audit["checks"]))
    raise_on_findings([submission])
    Path(snakemake.output.audit).write_text(json.dumps(audit, indent=2) + "\n")
