"""Look for duplicated images in the whole cohort."""

from pathlib import Path

from lymphokit.cohort.tables import write_table
from lymphokit.files import write_json
from lymphokit.imaging.duplicates import find_duplicates
from lymphokit.imaging.pixels import open_pixels
from lymphokit.job import job

with job(snakemake):
    found = find_duplicates(open_pixels(Path(snakemake.input.bank)))
    write_table(found.pairs, snakemake.output.pairs)
    about = {"n_images": found.n_images, "n_candidates": found.n_candidates}
    write_json(Path(snakemake.output.about), about)
