"""Figure: accuracy curves of the networks compared on the labelled cells."""

import pandas as pd

from lymphokit.cohort.tables import read_table
from lymphokit.job import job
from lymphokit.pseudo_labels.rounds_figure import accuracy_curves

with job(snakemake):
    labelled = read_table(snakemake.input.table)
    history = pd.concat(map(read_table, snakemake.input.histories), ignore_index=True)
    figure = accuracy_curves(history, n=int((labelled["part"] == "validation").sum()))
    figure.savefig(snakemake.output.figure, dpi=130)
