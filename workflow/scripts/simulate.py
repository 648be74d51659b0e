"""Simulate the cohort; its truth goes to a folder that no model reads."""

from pathlib import Path

from lymphokit.job import job
from lymphokit.simulation.cohort import simulate

with job(snakemake):
    simulate(Path(snakemake.output.raw), Path(snakemake.output.truth), **snakemake.params.settings)
