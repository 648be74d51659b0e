"""What the autoencoder gives back, and how far that is from what it was shown."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lymphokit.features.autoencoder import Autoencoder, to_tensor
from lymphokit.features.compute import repeatable
from lymphokit.imaging.segment import Pixels

CHUNK = 512  # images at a time where all of them are read through once


def reconstruct(
    model: Autoencoder, pixels: Pixels, *, threads: int, device: torch.device
) -> Pixels:
    """A few images as the network gives them back: (n, 128, 128, 3) uint8 -> the same."""
    model = model.to(device).eval()
    with repeatable(threads), torch.inference_mode():
        return _to_pixels(model(to_tensor(pixels, device)))


def reconstruction_error(
    model: Autoencoder, pixels: Pixels, *, batch_size: int, threads: int, device: torch.device
) -> float:
    """Mean squared error of colours in [0, 1] over all images: (n, 128, 128, 3) uint8."""
    model = model.to(device).eval()
    total = 0.0
    with repeatable(threads), torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            images = to_tensor(pixels[start : start + batch_size], device)
            total += (model(images).clamp(0, 1) - images).square().mean().item() * len(images)
    return total / len(pixels)


def mean_image(pixels: Pixels) -> NDArray[np.float64]:
    """The mean of all images in [0, 1]: (n, h, w, 3) uint8 -> (h, w, 3)."""
    total = np.zeros(pixels.shape[1:], dtype=np.uint64)
    for start in range(0, len(pixels), CHUNK):
        total += pixels[start : start + CHUNK].sum(axis=0, dtype=np.uint64)
    return total / (255.0 * len(pixels))


def mean_image_error(pixels: Pixels) -> float:
    """Mean squared error of giving the mean image back for every image: what to do better than."""
    squares = np.zeros(pixels.shape[1:], dtype=np.uint64)
    for start in range(0, len(pixels), CHUNK):
        chunk = pixels[start : start + CHUNK].astype(np.uint32)
        squares += (chunk * chunk).sum(axis=0, dtype=np.uint64)
    mean_square = squares / (255.0**2 * len(pixels))
    return float((mean_square - mean_image(pixels) ** 2).mean())


def _to_pixels(images: Tensor) -> Pixels:
    """What the network gives as pixels: (n, 3, h, w) near [0, 1] -> (n, h, w, 3) uint8."""
    colours = images.float().clamp(0, 1).mul(255).round().permute(0, 2, 3, 1)
    return colours.contiguous().cpu().numpy().astype(np.uint8)
