"""An epoch of the autoencoder: ours against a plain loop.

    python benchmarks/autoencoder.py [--images 512] [--epochs 3] [--repeats 5] [--threads 2]

The plain loop: torch's DataLoader with two workers that read each image by Pillow, resize it to 128
pixels and flip it, then the same network and optimizer in float32. Ours: `train_autoencoder`, from
the array of small images that the rule `pixels` makes once for all epochs and both variants; the
images a second of its history are those of an epoch alone. Both train from the same weights. The
squared error of the last epoch, as it is trained on, must be within 2% that of the same training in
float32; the plain loop draws other batches and flips. The error in evaluation mode would not do: so
early, another number of threads moves it by a tenth. The ratio is printed last.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from features import image_files
from lymphokit.features.autoencoder import Autoencoder, mean_image
from lymphokit.features.compute import resolve_precision
from lymphokit.features.train_autoencoder import train_autoencoder
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.pixels import shrink

LATENT, BATCH, RATE, FLIPS, SEED = 8192, 32, 1e-3, 0.5, 0
CPU = torch.device("cpu")
APART = 0.02  # of the reconstruction error


class SmallImages(Dataset[Tensor]):
    """Image files as a data set of torch, resized and flipped."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> Tensor:
        image = Image.open(self.paths[position]).convert("RGB")
        pixels = np.asarray(image.resize((128, 128), Image.Resampling.BOX))
        for axis in (0, 1):
            if torch.rand(()) < FLIPS:
                pixels = np.flip(pixels, axis)
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255


def plain(paths: list[Path], pixels: NDArray[np.uint8], epochs: int) -> tuple[float, float]:
    """Images a second of an epoch, and the squared error of the last one."""
    torch.manual_seed(SEED)
    model = Autoencoder(latent=LATENT)
    model.start_at(torch.from_numpy(mean_image(pixels).mean(axis=(0, 1))).float())
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    loader = DataLoader(SmallImages(paths), batch_size=BATCH, shuffle=True, num_workers=2)
    speeds = []
    for _ in range(epochs):
        began, total = time.perf_counter(), 0.0
        for images in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(images), images)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(images)
        speeds.append(len(paths) / (time.perf_counter() - began))
    return statistics.median(speeds), total / len(paths)


def ours(
    pixels: NDArray[np.uint8], epochs: int, folder: Path, precision: str = "auto"
) -> tuple[float, float]:
    """Images a second of an epoch, and the squared error of the last one."""
    checkpoint = folder / "checkpoint"
    checkpoint.unlink(missing_ok=True)
    _, history = train_autoencoder(
        pixels,
        latent=LATENT,
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=RATE,
        flips=FLIPS,
        precision=precision,
        seed=SEED,
        threads=torch.get_num_threads(),
        device=CPU,
        checkpoint=checkpoint,
        code="",
    )
    return statistics.median(history.images_per_second), history.losses[-1]


def main() -> None:
    """Train both ways in turn; print the ratio last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = image_files(folder, arguments.images)
        files = ImageFiles(Path("/"), [str(path) for path in paths], None)
        pixels = np.stack([shrink(image) for image in files])
        runs = [
            (*plain(paths, pixels, arguments.epochs), *ours(pixels, arguments.epochs, folder))
            for _ in range(arguments.repeats)
        ]
        _, exact_error = ours(pixels, arguments.epochs, folder, "float32")
    usual, usual_error, fast, error = (statistics.median(each) for each in zip(*runs, strict=True))
    print(f"plain loop {usual:.0f} images/s, squared error {usual_error:.5f}")
    print(f"ours, {resolve_precision('auto')}: {fast:.0f} images/s, squared error {error:.5f}")
    apart = error / exact_error - 1
    print(f"ours, float32: squared error {exact_error:.5f}")
    if abs(apart) > APART:
        raise SystemExit(f"the error differs from that of float32 by {apart:+.1%}")
    print(
        f"RATIO epoch of the autoencoder: ours against a plain loop: {fast / usual:.1f}x "
        f"(target 3x), results agree, error {apart:+.1%} against float32 on the same batches, "
        f"{error / usual_error - 1:+.1%} against the plain loop's batches"
    )


if __name__ == "__main__":
    main()
