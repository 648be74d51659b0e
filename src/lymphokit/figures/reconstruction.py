"""Images and what the autoencoder makes of them (report, figure 5): data in, figure out."""

from matplotlib.figure import Figure

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
    """A few images above, their reconstructions below: two (n, h, w, 3) uint8.

    variant: `raw` or `segmented`; latent: numbers that describe an image; error: mean squared
    error of colours in [0, 1] over all `n_images`; mean_image_error: that of giving back the mean
    image, which the network has to beat.
    """
    shown = len(originals)
    figure = Figure(figsize=(1.3 * shown + 0.4, 4.1), layout="constrained")
    axes = figure.subplots(2, shown, squeeze=False)
    for row, images, name in zip(
        axes, (originals, reconstructions), ("shown", "given back"), strict=True
    ):
        row[0].set_ylabel(name)
        for panel, image in zip(row, images, strict=True):
            panel.imshow(image)
            panel.set(xticks=[], yticks=[])
    height, width = originals.shape[1:3]
    figure.suptitle(f"Autoencoder of {variant} images, {latent:,} features", fontweight="bold")
    figure.supxlabel(
        f"{shown} of n = {n_images:,} images of {width} x {height} pixels, all trained on. Mean "
        f"squared error over\nall of them, colours in [0, 1]: {error:.5f}; of giving back the mean "
        f"image: {mean_image_error:.5f}.",
        fontsize="small",
    )
    return figure
