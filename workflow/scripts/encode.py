"""Compute the latent vector of every cell with the autoencoder."""

from pathlib import Path

from lymphokit.features.autoencoder import encode, load_autoencoder
from lymphokit.features.bank import write_bank
from lymphokit.features.compute import best_device
from lymphokit.imaging.pixels import open_pixels
from lymphokit.job import job
from lymphokit.provenance import file_sha256

with job(snakemake) as threads:
    settings, variant = snakemake.params.settings, snakemake.wildcards.variant
    weights = Path(snakemake.input.weights)
    model, pixels = load_autoencoder(weights), open_pixels(Path(snakemake.input.pixels))
    batches = encode(
        model,
        pixels,
        batch_size=settings["batch_size"],
        precision=settings["precision"],
        threads=threads,
        device=best_device(),
    )
    source = f"autoencoder trained on all {variant} images, sha256 {file_sha256(weights)}"
    write_bank(
        Path(snakemake.output.bank),
        batches,
        n_cells=len(pixels),
        n_features=model.latent,
        fitted_on="all images, without labels",
        metadata={"source": source},
    )
