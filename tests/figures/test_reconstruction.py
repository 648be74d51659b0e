import numpy as np
from matplotlib.figure import Figure

from lymphokit.figures.reconstruction import reconstruction_figure

RNG = np.random.default_rng(0)
ORIGINALS, RECONSTRUCTIONS = RNG.integers(0, 256, (2, 5, 16, 16, 3), dtype=np.uint8)


def figure() -> Figure:
    return reconstruction_figure(
        ORIGINALS,
        RECONSTRUCTIONS,
        variant="segmented",
        latent=4096,
        n_images=6366,
        error=0.00123,
        mean_image_error=0.0204,
    )


def test_originals_stand_above_their_reconstructions() -> None:
    drawn = [axes.get_images()[0].get_array() for axes in figure().axes]
    np.testing.assert_array_equal(drawn[:5], ORIGINALS)
    np.testing.assert_array_equal(drawn[5:], RECONSTRUCTIONS)


def test_the_caption_has_n_the_error_and_that_of_the_baseline() -> None:
    drawn = figure()
    text = drawn.get_suptitle() + drawn.get_supxlabel()
    for part in ("segmented", "4,096", "n = 6,366", "0.00123", "0.02040", "5 of"):
        assert part in text
