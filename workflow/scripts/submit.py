"""Write the dated CSV, its folder and its row in the ledger; write a receipt without the time."""

import datetime as dt
from pathlib import Path

from rich.console import Console

from lymphokit.audit.findings import passed_checks
from lymphokit.cohort.raw import locate
from lymphokit.cohort.tables import read_patients, read_table
from lymphokit.ensemble.fold import submission_labels
from lymphokit.figures.terminal_tables import score_terminal_table
from lymphokit.files import read_json, write_json
from lymphokit.job import job
from lymphokit.provenance import changed_code, commit, file_sha256, machine, settings_digest
from lymphokit.robustness.stain_verdict import warning
from lymphokit.submission.csv_files import submission_name, utc_stamp, write_submission
from lymphokit.submission.ledger import LEDGER, Entry, append, oof_figures
from lymphokit.submission.run_folder import write_run

with job(snakemake):
    passed_checks(Path(snakemake.input.leaks))
    blend, cohort = snakemake.params.blend, snakemake.wildcards.cohort
    decisions = read_table(snakemake.input.decisions)
    scores = read_table(snakemake.input.scores)
    patients = read_patients(snakemake.input.patients)
    test = patients.loc[patients["part"] == "test", "patient"].tolist()
    header = tuple(read_json(Path(snakemake.input.header)))
    labels = submission_labels(decisions, blend)
    now = dt.datetime.now(dt.UTC)
    name = Path("submissions") / submission_name(now, cohort, blend)
    file = write_submission(
        name, header, labels["patient"].tolist(), labels["label"].tolist(), test_patients=test
    )
    origin = {
        "sha256": file_sha256(file),
        "commit": commit(Path.cwd()),
        "config_digest": settings_digest(snakemake.params.config),
        "folds_digest": file_sha256(Path(snakemake.input.folds))[:12],
        "cohort": cohort,
        "blend": blend,
        "machine": machine(snakemake.params.gpu),
    }
    figures = oof_figures(scores, decisions, blend)
    changed = changed_code(Path.cwd())
    receipt = {"file": str(file), **origin, **figures, "changed_code": changed}
    raw = str(locate(snakemake.config["raw"], Path()).source or "demo")  # what auto stands for
    settings = {**snakemake.config, "raw": raw}
    write_run(file, settings, Path(snakemake.input.scores), decisions, receipt)
    append(file.parent / LEDGER, Entry(file.name, utc=utc_stamp(now), **origin, **figures))
    write_json(Path(snakemake.output.receipt), receipt)
    made = f"{decisions['fold'].nunique()} folds"
    tested = snakemake.input.stain_test
    note = warning(read_table(tested)) if tested else ""
    level = snakemake.params.level
    table = score_terminal_table(scores, submitted=blend, folds=made, level=level, note=note)
    Console(width=120).print(
        table, f"{file}: {len(labels)} patients, {labels['label'].sum()} of them tumoral", sep="\n"
    )
