"""The autoencoder of report 3.4.1: 128 x 128 pixels to a latent of 8 x 8 x c, and back."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features.compute import (
    autocast,
    pixels_to_tensor,
    repeatable,
    resolve_precision,
    save_weights,
)
from lymphokit.imaging.pixels import SIDE
from lymphokit.imaging.segment import Pixels

GRID = 8  # the latent's side: 128 halved by four poolings
_ENCODER = (8, 16, 32)  # output channels of all encoder blocks but the last
_DECODER = ((64, 1), (64, 2), (32, 1), (32, 2), (16, 1), (16, 2))  # output channels, stride
_METADATA_KEY = "lymphokit"
_CHUNK = 128  # images in memory at once where statistics of all images are taken


class Autoencoder(nn.Module):
    """Four convolutional blocks down to the latent, seven transposed ones back to the image.

    latent: number of features per image, a multiple of 64: 8192 = 128 channels x 8 x 8.
    Source: report 3.4.1, which gives the kinds of blocks and their numbers. The channels are ours,
    and the strides: four of the seven double the side, the finest grid comes last, so that two
    cores train over a hundred images a second.
    Departs: the last block is the transposed convolution alone. Its output is a colour, which
    rectified and normalised values are not.
    Raises ValueError for another latent size.
    """

    def __init__(self, *, latent: int) -> None:
        super().__init__()
        channels, rest = divmod(latent, GRID * GRID)
        if rest or not channels:
            raise ValueError(f"a latent size is a multiple of {GRID * GRID}, which {latent} is not")
        self.latent = latent
        down = (3, *_ENCODER, channels)
        self.encoder = nn.Sequential(*map(_encoder_block, down, down[1:]))
        up = (channels, *(width for width, _ in _DECODER))
        blocks = [_decoder_block(up[i], *_DECODER[i]) for i in range(len(_DECODER))]
        self.decoder = nn.Sequential(*blocks)
        self.to_colours = _transposed(up[-1], 3, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        """Encode and decode: (n, 3, 128, 128) in [0, 1] -> the same shape, near [0, 1]."""
        colours: Tensor = self.to_colours(self.decoder(self.encode(images)))
        return colours

    def encode(self, images: Tensor) -> Tensor:
        """The latent, as channels of a grid: (n, 3, 128, 128) -> (n, latent / 64, 8, 8)."""
        encoded: Tensor = self.encoder(images)
        return encoded

    def start_at(self, colour: Tensor) -> None:
        """Initialise the last block so that its output is nearly this colour (3,) everywhere.

        The default weights are far too large for a transposed convolution, and from a bias of 0
        the colour of the smear is hundreds of steps away.
        """
        nn.init.normal_(self.to_colours.weight, std=0.02)
        self.to_colours.bias = nn.Parameter(colour.clone())


def _encoder_block(channels: int, to: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, to, kernel_size=3, padding=1)
    return nn.Sequential(convolution, nn.ReLU(), nn.BatchNorm2d(to), nn.AvgPool2d(2))


def _decoder_block(channels: int, to: int, stride: int) -> nn.Sequential:
    return nn.Sequential(_transposed(channels, to, stride), nn.ReLU(), nn.BatchNorm2d(to))


def _transposed(channels: int, to: int, stride: int) -> nn.ConvTranspose2d:
    """A 3x3 transposed convolution that multiplies the side by exactly its stride."""
    return nn.ConvTranspose2d(
        channels, to, kernel_size=3, stride=stride, padding=1, output_padding=stride - 1
    )


def to_tensor(pixels: Pixels, device: torch.device) -> Tensor:
    """Input of the network from pixels (n, 128, 128, 3) uint8: (n, 3, 128, 128) in [0, 1].

    Raises ValueError for images of another size.
    """
    if pixels.shape[1:] != (SIDE, SIDE, 3):
        raise ValueError(f"images are {pixels.shape[1:]}, not {(SIDE, SIDE, 3)}")
    return pixels_to_tensor(pixels, device)


def encode(
    model: Autoencoder,
    pixels: Pixels,
    *,
    batch_size: int,
    precision: str,
    threads: int,
    device: torch.device,
) -> Iterator[NDArray[np.float32]]:
    """The latent of every image, batch by batch: (n_cells, 128, 128, 3) uint8 -> (n, latent).

    precision: see `resolve_precision`.
    """
    model = model.to(device).eval()
    precision = resolve_precision(precision)
    for batch in chunks(pixels, batch_size):
        with repeatable(threads), torch.inference_mode(), autocast(precision, device):
            latent = model.encode(to_tensor(batch, device)).flatten(1).float()
        yield latent.cpu().numpy()


def reconstruct(
    model: Autoencoder, pixels: Pixels, *, threads: int, device: torch.device
) -> Pixels:
    """Encode and decode a few images: (n, 128, 128, 3) uint8 -> the same."""
    model = model.to(device).eval()
    with repeatable(threads), torch.inference_mode():
        colours = model(to_tensor(pixels, device)).float().clamp(0, 1)
        levels = colours.mul(255).round().permute(0, 2, 3, 1).contiguous()
    return np.asarray(levels.cpu().numpy().astype(np.uint8))


def reconstruction_error(
    model: Autoencoder, pixels: Pixels, *, batch_size: int, threads: int, device: torch.device
) -> float:
    """Mean squared error of colours in [0, 1] over all images: (n, 128, 128, 3) uint8."""
    model = model.to(device).eval()
    total = 0.0
    with repeatable(threads), torch.inference_mode():
        for batch in chunks(pixels, batch_size):
            images = to_tensor(batch, device)
            total += (model(images).clamp(0, 1) - images).square().mean().item() * len(images)
    return total / len(pixels)


def mean_image(pixels: Pixels) -> NDArray[np.float64]:
    """The mean of all images in [0, 1]: (n, h, w, 3) uint8 -> (h, w, 3)."""
    total = np.zeros(pixels.shape[1:], dtype=np.uint64)
    for chunk in chunks(pixels):
        total += chunk.sum(axis=0, dtype=np.uint64)
    return total / (255.0 * len(pixels))


def mean_image_error(pixels: Pixels) -> float:
    """Baseline: mean squared error if the mean image is the reconstruction of every image."""
    squares = np.zeros(pixels.shape[1:], dtype=np.uint64)
    for chunk in chunks(pixels):
        squares += np.square(chunk.astype(np.uint32)).sum(axis=0, dtype=np.uint64)
    mean_square = squares / (255.0**2 * len(pixels))
    return float((mean_square - mean_image(pixels) ** 2).mean())


def chunks(pixels: Pixels, size: int = _CHUNK) -> Iterator[Pixels]:
    """Consecutive parts of so many images, so that a memory map is never read whole."""
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]


def save_autoencoder(model: Autoencoder, path: Path) -> None:
    """Write the weights as a .safetensors file with the latent size in its metadata."""
    save_weights(model, path, {_METADATA_KEY: json.dumps({"latent": model.latent})})


def load_autoencoder(path: Path) -> Autoencoder:
    """Read a file of `save_autoencoder`. Raises WeightsError if the file is something else."""
    try:
        if not path.is_file():  # a pipe would never end
            raise FileNotFoundError("there is no file")
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[_METADATA_KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = Autoencoder(latent=metadata["latent"])
        model.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        remedy = "delete it and run again to train it anew"
        raise WeightsError(
            f"{path} is not an autoencoder of this kit ({error}); {remedy}"
        ) from error
    return model
