"""Check tables, folders and every image; list the patients and their cells."""

import json
from datetime import date
from pathlib import Path

from lymphokit.cohort.raw import RECORD, record_table, table_digest
from lymphokit.cohort.tables import write_table
from lymphokit.errors import visible
from lymphokit.imaging.check import check_cohort
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    settings = dict(snakemake.params.settings)
    settings["reference_date"] = date.fromisoformat(settings["reference_date"])
    table = table_digest(Path(snakemake.input.raw))
    settings["known_duplicates"] = snakemake.params.known_duplicates
    cohort = check_cohort(Path(snakemake.input.raw), **settings)
    for fault in cohort.skipped:
        say(visible(f"{fault.patient} {fault.image} {fault.finding}: {fault.remedy}"))
    for note in cohort.notes:
        say(note)
    say(
        f"{len(cohort.patients)} patients, {(cohort.patients['part'] == 'test').sum()} of them "
        f"to predict, {len(cohort.cells):,} cells: nothing wrong"
    )
    write_table(cohort.patients, snakemake.output.patients)
    write_table(cohort.cells, snakemake.output.cells)
    header = json.dumps(cohort.submission_header)
    Path(snakemake.output.header).write_text(header + "\n")
    record_table(Path(snakemake.output.patients).parents[1] / RECORD, table)
