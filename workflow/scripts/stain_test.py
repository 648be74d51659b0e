"""Score the image models of the product without the colours of glass and red cells."""

from lymphokit.cohort.tables import (
    read_folds,
    read_patients,
    read_predictions,
    read_table,
    write_table,
)
from lymphokit.features.bank import open_features
from lymphokit.job import job
from lymphokit.progress import say, track
from lymphokit.robustness.stain_cohort import NONE, StainCohort, labelled_bags
from lymphokit.robustness.stain_figure import stain_forest
from lymphokit.robustness.stain_test import require_models, stain_table
from lymphokit.robustness.stain_verdict import stain_sentences

with job(snakemake):
    params, files = snakemake.params, snakemake.input
    require_models(params.models)
    patients = read_patients(files.patients)
    cohort = StainCohort.from_tables(
        patients, read_folds(files.folds), read_table(files.colours), read_table(files.artefacts)
    )
    banks = open_features(files.banks, patients["n_cells"].sum())
    versions = {}
    for name, block in track(list(params.models.items()), "stain test"):
        bags = labelled_bags(patients, banks[block["features"]])
        described = cohort.described(block, bags, params.seed)
        versions[name] = cohort.versions(described, params.seed)
    for name, predictions in read_predictions(files.colourless, params.colourless).items():
        versions[name] = {(NONE, "score"): cohort.predicted_log_odds(predictions)[None]}
    (clinical,) = params.clinical.values()
    table = stain_table(
        cohort,
        versions,
        product=list(params.models),
        clinical=cohort.clinical_log_odds(clinical),
        seed=params.seed,
        **params.uncertainty,
    )
    write_table(table, snakemake.output.table)
    stain_forest(table, level=params.uncertainty["level"]).savefig(snakemake.output.figure, dpi=150)
    for sentence in stain_sentences(table):
        say(sentence)
