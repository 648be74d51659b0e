"""Describe the rounds of all folds, as a table and a figure."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_folds, read_patients, read_table, write_table
from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.pseudo_labels.rounds_figure import rounds_figure
from lymphokit.pseudo_labels.rounds_table import rounds_table, summary, truth_of
from lymphokit.pseudo_labels.state import read_state

with job(snakemake):
    given = snakemake.input
    patients = read_patients(given.patients)
    folds = read_folds(given.folds)
    cells = read_cells(given.cells)
    truth = given.get("truth")
    states = zip(map(Path, given.added), map(Path, given.scores), strict=True)
    table = rounds_table(
        (read_state(added, scores) for added, scores in states),
        cells.merge(patients[["patient", "label"]]),
        folds,
        places=snakemake.params.places,
        is_abnormal=truth_of(Path(truth), cells) if truth else None,
    )
    write_table(table, snakemake.output.table)
    parts = read_table(given.labelled)["part"].tolist() if given.get("labelled") else []
    n_patients = folds.loc[folds["part"] == "validation", "patient"].nunique()
    figure = rounds_figure(table, labelled=parts.count("validation"), n_patients=n_patients)
    figure.savefig(snakemake.output.figure, dpi=130)
    say(summary(table))
