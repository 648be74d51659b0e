"""Histograms of the margins to a one-class SVM, for some validation patients of either label."""

from pathlib import Path

import joblib
import numpy as np

from lymphokit.bags.packed import bags_of
from lymphokit.cohort.tables import read_folds, read_patients
from lymphokit.features.bank import open_bank
from lymphokit.figures.margins import margin_histograms
from lymphokit.job import job

PATIENTS_A_LABEL = 4

with job(snakemake.log[0], snakemake.threads):
    patients = read_patients(snakemake.input.patients)
    folds = read_folds(snakemake.input.folds)
    fold = folds[(folds["fold"] == 1) & (folds["part"] == "validation")]
    known = patients[patients["patient"].isin(fold["patient"])]
    shown = known.groupby("label").head(PATIENTS_A_LABEL).index.to_numpy()
    bank = open_bank(Path(snakemake.input.bank[0]), patients["n_cells"].sum())
    bags = bags_of(patients, bank.features).take(shown)
    model = joblib.load(snakemake.input.model)
    margin_histograms(
        -model.cell_scores(bags),
        bags.offsets,
        bags.ids,
        patients["label"].to_numpy(np.int64)[shown],
        fitted_on="the reactive training patients of fold 1",
    ).savefig(snakemake.output.figure, dpi=130)
