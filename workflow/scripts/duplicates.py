"""Look for images that are there twice, among all of the cohort."""

import json
from pathlib import Path

from lymphokit.imaging.duplicates import find_duplicates
from lymphokit.imaging.pixels import open_pixels
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    found = find_duplicates(open_pixels(Path(snakemake.input.bank)))
    found.pairs.to_csv(snakemake.output.pairs, index=False)
    about = {"n_images": found.n_images, "n_candidates": found.n_candidates}
    Path(snakemake.output.about).write_text(json.dumps(about, indent=2) + "\n")
