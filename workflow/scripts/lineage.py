"""Check whose labels went into a fold's pseudo-labelled cells; a wrong one fails the build."""

import json
from pathlib import Path

import pandas as pd

from lymphokit.job import job
from lymphokit.progress import say
from lymphokit.provenance import file_sha256
from lymphokit.pseudo_labels.lineage import check_lineage
from lymphokit.pseudo_labels.state_files import read_state

with job(snakemake.log[0], snakemake.threads):
    folds = pd.read_csv(snakemake.input.folds, dtype={"patient": str})
    lineage = check_lineage(
        read_state(Path(snakemake.input.added), Path(snakemake.input.judged)).added,
        folds[folds["fold"] == int(snakemake.wildcards.fold)],
        pd.read_csv(snakemake.input.patients, dtype={"patient": str}),
        pd.read_csv(snakemake.input.cells, dtype={"patient": str}),
        records=[json.loads(Path(path).read_text()) for path in snakemake.input.records],
        sizes=snakemake.params.sizes,
        exact=snakemake.params.exact,
        stain_patients=json.loads(Path(snakemake.input.stain).read_text())["patients"],
    )
    lineage["added_sha256"] = file_sha256(Path(snakemake.input.added))
    Path(snakemake.output.lineage).write_text(json.dumps(lineage, indent=2) + "\n")
    say(f"fold {lineage['fold']}: no label of a validation or test patient in {lineage['cells']}")
