"""Images and their reconstructions by the autoencoder (report, figure 5)."""

from matplotlib.figure import Figure

from lymphokit.figures.style import CAPTION
from lymphokit.imaging.segment import Pixels


def reconstruction_figure(
    originals: Pixels,
    reconstructions: Pixels,
    *,
    variant: str,
    latent: int,
    n_images: int,
    error: float,
    mean_image_error: float,
) -> Figure:
    """Draw a few images above their reconstructions, both (n, h, w, 3) uint8.

    variant: `raw` or `segmented`; latent: number of features per image; error: mean squared error
    over all `n_images`, colours in [0, 1]; mean_image_error: that of the mean image as the
    reconstruction of every image, the baseline.
    """
    shown = len(originals)
    figure = Figure(figsize=(1.3 * shown + 0.4, 4.1), layout="constrained")
    axes = figure.subplots(2, shown, squeeze=False)
    for row, images, name in zip(
        axes, (originals, reconstructions), ("original", "reconstructed"), strict=True
    ):
        row[0].set_ylabel(name)
        for panel, image in zip(row, images, strict=True):
            panel.imshow(image)
            panel.set(xticks=[], yticks=[])
    height, width = originals.shape[1:3]
    figure.suptitle(f"Autoencoder of {variant} images, {latent:,} features", fontweight="bold")
    figure.supxlabel(
        f"{shown} of n = {n_images:,} images of {width} x {height} pixels, which are all in "
        f"the training set.\nMean squared error over all images, colours in [0, 1]: {error:.5f}; "
        f"baseline, the mean image: {mean_image_error:.5f}.",
        **CAPTION,
    )
    return figure
