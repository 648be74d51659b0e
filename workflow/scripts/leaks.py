"""Look for leaks in all files behind a submission; one finding fails the job."""

import json
from pathlib import Path

from rich.console import Console

from lymphokit.audit.findings import as_json, audit_table, raise_on_findings
from lymphokit.audit.finished_run import FinishedRun, run_checks
from lymphokit.ensemble.fold import recipes
from lymphokit.files import write_json
from lymphokit.job import job
from lymphokit.progress import note, say

with job(snakemake, verified=False):
    params = snakemake.params
    run = FinishedRun(
        Path(snakemake.input.folds).parent,
        list(params.models),
        params.series,
        params.sizes,
        params.exact,
    )
    checks, known = run_checks(
        run,
        snakemake.input,
        known_duplicates=params.known_duplicates,
        threshold=params.threshold,
        recipes=recipes(rule=params.threshold, **params.blends),
    )
    leaks = as_json(checks, known_duplicates=known)
    for pair in known:
        what = "accepted in config.yaml" if pair["found"] else "in config.yaml, not found any more"
        say(f"{' and '.join(pair['images'])}: {what} ({pair['reason']})")
    note(json.dumps(leaks, indent=2))
    if any(check.faults for check in checks):
        Console(width=120).print(audit_table(leaks["checks"]))
    raise_on_findings(checks)
    write_json(Path(snakemake.output.leaks), leaks)
