"""Check the lineage of a fold's pseudo-labels; a leak fails the job."""

from pathlib import Path

from lymphokit.cohort.tables import read_cells, read_fold, read_patients
from lymphokit.files import read_json, write_json
from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.provenance import file_sha256
from lymphokit.pseudo_labels.lineage import check_lineage
from lymphokit.pseudo_labels.state import read_state

with job(snakemake):
    stain = snakemake.input.get("stain")  # none where the rounds start from bags
    lineage = check_lineage(
        read_state(Path(snakemake.input.added), Path(snakemake.input.scores)).added,
        read_fold(snakemake.input.folds, snakemake.wildcards.fold),
        read_patients(snakemake.input.patients),
        read_cells(snakemake.input.cells),
        records=[read_json(Path(path)) for path in snakemake.input.records],
        sizes=snakemake.params.sizes,
        exact=snakemake.params.exact,
        stain_patients=read_json(Path(stain), "patients")["patients"] if stain else [],
        drawn=snakemake.params.drawn,
    )
    lineage["added_sha256"] = file_sha256(Path(snakemake.input.added))
    write_json(Path(snakemake.output.lineage), lineage)
    say(f"fold {lineage['fold']}: no label of a validation or test patient in {lineage['cells']}")
