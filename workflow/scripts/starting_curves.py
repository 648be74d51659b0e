"""The accuracy curves of the networks that were compared on the labelled cells."""

import pandas as pd

from lymphokit.job import job
from lymphokit.pseudo_labels.rounds_figure import accuracy_curves

with job(snakemake.log[0], snakemake.threads):
    labelled = pd.read_csv(snakemake.input.table)
    history = pd.concat(map(pd.read_csv, snakemake.input.histories), ignore_index=True)
    figure = accuracy_curves(history, n=int((labelled["part"] == "validation").sum()))
    figure.savefig(snakemake.output.figure, dpi=130)
