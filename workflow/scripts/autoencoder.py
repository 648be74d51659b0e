"""Train the autoencoder on one version of the images; show reconstructions."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from lymphokit.features.autoencoder import (
    mean_image_error,
    reconstruct,
    reconstruction_error,
    save_autoencoder,
)
from lymphokit.features.compute import best_device
from lymphokit.features.train_autoencoder import train_autoencoder
from lymphokit.figures.reconstruction import reconstruction_figure
from lymphokit.files import write_json
from lymphokit.imaging.pixels import open_pixels
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake) as threads:
    settings, variant = dict(snakemake.params.settings), snakemake.wildcards.variant
    latent = settings.pop("variants")[variant]
    pixels = open_pixels(Path(snakemake.input.pixels))
    checkpoint = Path(snakemake.params.checkpoint)
    compute = {"threads": threads, "device": best_device()}
    model, history = train_autoencoder(
        pixels,
        latent=latent,
        seed=snakemake.params.seed,
        checkpoint=checkpoint,
        code=snakemake.params.code,
        **settings,
        **compute,
    )
    error = reconstruction_error(model, pixels, batch_size=settings["batch_size"], **compute)
    baseline = mean_image_error(pixels)
    say(f"{variant}: squared error {error:.5f}; baseline, the mean image: {baseline:.5f}")
    shown = np.array(pixels[np.linspace(0, len(pixels) - 1, 8).astype(int)])
    reconstruction_figure(
        shown,
        reconstruct(model, shown, **compute),
        variant=variant,
        latent=latent,
        n_images=len(pixels),
        error=error,
        mean_image_error=baseline,
    ).savefig(snakemake.output.figure, dpi=150)
    record = {**asdict(history), "error": error, "mean_image_error": baseline}
    write_json(Path(snakemake.output.history), record)
    save_autoencoder(model, Path(snakemake.output.weights))
    checkpoint.unlink()  # last: a job killed before this line resumes from its checkpoint
