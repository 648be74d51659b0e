"""Write the report of a run: one page that needs no network."""

from pathlib import Path

from lymphokit.job import job
from lymphokit.report.page import write_report
from lymphokit.report.run_files import Run

with job(snakemake):
    page = Path(snakemake.output.page)
    run = Run(
        results=page.parent,
        files=[Path(file) for file in snakemake.input],
        evidence=[Path(file) for file in snakemake.input.evidence],
        captions=Path(snakemake.input.captions[0]).parent,
        raw=Path(snakemake.input.raw),
        ledger=Path("submissions/ledger.csv"),
        studies=snakemake.params.studies,
        models=snakemake.params.models,
        neutral=snakemake.params.neutral,
        settings=snakemake.params.settings,
    )
    write_report(run, page)
