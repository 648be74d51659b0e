"""Unpack the download's tables and images; nothing is written outside the output folder."""

from pathlib import Path

from lymphokit.cohort.raw import unpack
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    left_out = unpack(Path(snakemake.input.zip), Path(snakemake.output.raw))
    if left_out:
        say(f"neither tables nor images, left in the zip: {', '.join(left_out)}")
