"""What the rounds did in all folds, as a table and a picture."""

from pathlib import Path

import pandas as pd

from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.pseudo_labels.rounds_figure import rounds_figure
from lymphokit.pseudo_labels.rounds_table import rounds_table, summary, truth_of
from lymphokit.pseudo_labels.state_files import read_state

with job(snakemake.log[0], snakemake.threads):
    given = snakemake.input
    patients = pd.read_csv(given.patients, dtype={"patient": str})
    folds = pd.read_csv(given.folds, dtype={"patient": str})
    cells = pd.read_csv(given.cells, dtype={"patient": str})
    truth = given.get("truth")
    states = zip(map(Path, given.added), map(Path, given.judged), strict=True)
    table = rounds_table(
        (read_state(added, judged) for added, judged in states),
        cells.merge(patients[["patient", "label"]]),
        folds,
        places=snakemake.params.places,
        is_abnormal=truth_of(Path(truth), cells) if truth else None,
    )
    table.to_csv(snakemake.output.table, index=False)
    labelled = pd.read_csv(given.labelled)
    figure = rounds_figure(table, labelled=int((labelled["part"] == "validation").sum()))
    figure.savefig(snakemake.output.figure, dpi=130)
    say(summary(table))
