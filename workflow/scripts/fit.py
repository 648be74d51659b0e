"""Fit one model inside one fold; predict its inner, validation and test patients."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from lymphokit.bags.contract import AnyModel
from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort.tables import read_fold, read_patients, write_table
from lymphokit.evaluation.evidence import fold_evidence
from lymphokit.evaluation.out_of_fold import Fit, cross_predict
from lymphokit.features.bank import open_bank
from lymphokit.files import write_json
from lymphokit.job import job
from lymphokit.models.registry import create

with job(snakemake):
    settings = dict(snakemake.params.settings)
    patients = read_patients(snakemake.input.patients)
    fold = read_fold(snakemake.input.folds, snakemake.wildcards.fold)
    has_bank, n_cells = "features" in settings, patients["n_cells"].sum()
    bank = open_bank(Path(snakemake.input.bank[0]), n_cells) if has_bank else None
    bags, clinical = bags_of(patients, bank.features if bank else None), clinical_of(patients)
    test = np.flatnonzero(patients["part"] == "test")
    fits: list[Fit] = []
    models: list[AnyModel] = []
    predictions = cross_predict(
        lambda seed: create(settings, seed=seed),
        bags,
        labels_of(patients),
        clinical,
        fold,
        test,
        snakemake.params.seed,
        fits=fits,
        models=models,
    )
    write_table(predictions, snakemake.output.predictions)
    evidence = fold_evidence(models[0], bags, clinical, fold, test, snakemake.params.seed)
    write_table(evidence[0], snakemake.output.cell_scores)
    write_table(evidence[1], snakemake.output.subsets)
    record = {
        "model": snakemake.wildcards.model,
        "settings": settings,
        "features": bank.metadata if bank else None,
        "fold": int(snakemake.wildcards.fold),
        "fits": [asdict(fit) for fit in fits],
        "seed": snakemake.params.seed,
        "code": snakemake.params.code,
    }
    write_json(Path(snakemake.output.record), record)
