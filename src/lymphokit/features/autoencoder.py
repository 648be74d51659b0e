"""The autoencoder of report 3.4.1: 128 x 128 pixels to 8 x 8 x c numbers, and back."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features.compute import repeatable
from lymphokit.imaging.pixels import SIDE
from lymphokit.imaging.segment import Pixels

GRID = 8  # the latent's side: 128 halved by four poolings
_ENCODER = (8, 16, 32)  # channels after all blocks but the last, which gives the latent's
_DECODER = ((64, 1), (64, 2), (32, 1), (32, 2), (16, 1), (16, 2))  # channels and stride; then RGB
_ABOUT = "lymphokit"  # the key of our metadata in a file of weights


class Autoencoder(nn.Module):
    """Four convolutional blocks down to the latent, seven transposed ones back to the image.

    latent: how many numbers describe an image, a multiple of 64: 8192 = 128 channels x 8 x 8.
    Source: report 3.4.1, which gives the kinds of blocks and their numbers. The channels are ours,
    and the strides: four of the seven double the side, with the finest grid left to the last, so
    that two cores train over a hundred images a second.
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
        """Before training, let the last block give this colour (3,) everywhere, or nearly.

        Its usual start is far too wide for a transposed convolution, and a bias of 0 would need
        hundreds of steps to become the colour of the smear.
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
    """Pixels (n, 128, 128, 3) uint8 as the network takes them: (n, 3, 128, 128) in [0, 1]."""
    if pixels.shape[1:] != (SIDE, SIDE, 3):
        raise ValueError(f"images are {pixels.shape[1:]}, not {(SIDE, SIDE, 3)}")
    own = torch.from_numpy(np.array(pixels))  # a copy: a memory map may not be written to
    return own.to(device).permute(0, 3, 1, 2).float().div_(255)  # channels last, as they lay


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Inside, convolutions compute in `precision`: float32 or bfloat16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def encode(
    model: Autoencoder,
    pixels: Pixels,
    *,
    batch_size: int,
    precision: str,
    threads: int,
    device: torch.device,
) -> Iterator[NDArray[np.float32]]:
    """The latent of every image, batch by batch: (n_cells, 128, 128, 3) uint8 -> (n, latent)."""
    model = model.to(device).eval()
    for batch in _batches(pixels, batch_size):
        with repeatable(threads), torch.inference_mode(), autocast(precision, device):
            latent = model.encode(to_tensor(batch, device)).flatten(1).float()
        yield latent.cpu().numpy()


def _batches(pixels: Pixels, batch_size: int) -> Iterator[Pixels]:
    for start in range(0, len(pixels), batch_size):
        yield pixels[start : start + batch_size]


def save_autoencoder(model: Autoencoder, path: Path) -> None:
    """Write the weights as a .safetensors file that says its latent size; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    part = path.with_name(f"{path.name}.part")
    save_file(weights, part, metadata={_ABOUT: json.dumps({"latent": model.latent})})
    part.replace(path)


def load_autoencoder(path: Path) -> Autoencoder:
    """Read what `save_autoencoder` wrote. Raises WeightsError where the file is something else."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[_ABOUT])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model = Autoencoder(latent=about["latent"])
        model.load_state_dict(weights)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        remedy = "delete it and run again, which trains it anew"
        raise WeightsError(f"{path} holds no autoencoder of ours ({error}); {remedy}") from error
    return model
