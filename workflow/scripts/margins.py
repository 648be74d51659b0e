"""Histograms of the margins to a one-class SVM, for some validation patients of either label."""

from pathlib import Path

from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.tables import read_fold, read_patients
from lymphokit.evaluation.out_of_fold import fit_training_part
from lymphokit.features.bank import open_bank
from lymphokit.figures.margins import margin_histograms
from lymphokit.job import job
from lymphokit.models.registry import create

PATIENTS_A_LABEL = 4

with job(snakemake):
    patients = read_patients(snakemake.input.patients)
    fold, labels = read_fold(snakemake.input.folds, 1), labels_of(patients)
    validation = fold.loc[fold["part"] == "validation", "patient"]
    known = patients[patients["patient"].isin(validation)]
    shown = known.groupby("label").head(PATIENTS_A_LABEL).index.to_numpy()
    bank = open_bank(Path(snakemake.input.bank[0]), patients["n_cells"].sum())
    all_bags = bags_of(patients, bank.features)
    model = fit_training_part(
        lambda seed: create(snakemake.params.settings, seed=seed),
        all_bags,
        labels,
        clinical_of(patients),
        fold,
        snakemake.params.seed,
    )
    bags = all_bags.take(shown)
    margin_histograms(
        -model.cell_scores(bags),
        bags.offsets,
        bags.ids,
        labels[shown],
        fitted_on="the reactive training patients of fold 1",
    ).savefig(snakemake.output.figure, dpi=130)
