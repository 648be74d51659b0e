"""Train the autoencoder on all images, with a checkpoint after each epoch to resume from."""

import hashlib
import io
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features.autoencoder import Autoencoder, chunks, mean_image, to_tensor
from lymphokit.features.compute import autocast, read_saved, repeatable, resolve_precision, seeded
from lymphokit.features.training_steps import draw_batches, gradient_step, random_flips
from lymphokit.imaging.segment import Pixels
from lymphokit.progress import say
from lymphokit.provenance import settings_digest


@dataclass(frozen=True)
class History:
    """Training history, one entry per epoch.

    n_images: images per epoch; losses: mean squared error of colours in [0, 1] during the epoch,
    on flipped images; images_per_second.
    """

    n_images: int
    losses: tuple[float, ...] = ()
    images_per_second: tuple[float, ...] = ()


@dataclass(frozen=True)
class _EpochSettings:
    """Settings of an epoch; see `train_autoencoder`."""

    batch_size: int
    flips: float
    precision: str
    seed: int
    device: torch.device


@dataclass
class _State:
    """State after an epoch: all that the next one depends on."""

    model: Autoencoder
    optimizer: torch.optim.Adam
    history: History


def train_autoencoder(
    pixels: Pixels,
    *,
    latent: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    flips: float,
    precision: str,
    seed: int,
    threads: int,
    device: torch.device,
    checkpoint: Path,
    code: str,
) -> tuple[Autoencoder, History]:
    """Train on all images without labels: (n_cells, 128, 128, 3) uint8, memory-mapped.

    flips: probability of each of a horizontal and a vertical flip of an image.
    precision: of the layers, see `resolve_precision`; weights stay float32.
    checkpoint: file with the state after each epoch. Training resumes from it if it has the same
    settings, images and `code` (a digest of the training code); the weights then equal, byte for
    byte, those of an uninterrupted run. The caller deletes it once the weights are saved.
    Fitted on: every image of the cohort, including those of test patients, as in the report.
    Source: report 3.4.1: Adam, 5 epochs, 1e-3.
    Departs: the loss is the mean squared error, by which reconstructions are assessed; 3.4.1 names
    none, and 5.2.2 d takes the cross-entropy. Flips, which the report has in 5.2.2 d alone.
    """
    precision = resolve_precision(precision)
    settings = {
        "latent": latent,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "flips": flips,
        "precision": precision,
        "seed": seed,
        "code": code,
        "images": _digest(pixels),
    }
    run_digest = settings_digest(settings)
    epoch_settings = _EpochSettings(batch_size, flips, precision, seed, device)
    with repeatable(threads):
        state = _initial_state(pixels, latent, learning_rate, seed, device)
        _resume(checkpoint, run_digest, epochs, state)
        for epoch in range(len(state.history.losses), epochs):
            _run_epoch(state, pixels, epoch, epoch_settings)
            _save(checkpoint, run_digest, state)
            loss, speed = state.history.losses[-1], state.history.images_per_second[-1]
            say(f"epoch {epoch + 1} of {epochs}: squared error {loss:.5f}, {speed:.0f} images/s")
    return state.model.eval(), state.history


def _initial_state(
    pixels: Pixels, latent: int, learning_rate: float, seed: int, device: torch.device
) -> _State:
    with seeded(seed, device):
        model = Autoencoder(latent=latent)
        model.start_at(torch.from_numpy(mean_image(pixels).mean(axis=(0, 1))).float())
    model = model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    return _State(model, optimizer, History(len(pixels)))


def _run_epoch(state: _State, pixels: Pixels, epoch: int, settings: _EpochSettings) -> None:
    """One pass over all images; their order and flips follow from seed and epoch alone."""
    state.model.train()
    began, total = time.perf_counter(), 0.0
    flip = random_flips(settings.flips, seed=settings.seed, epoch=epoch)
    batches = draw_batches(len(pixels), settings.batch_size, seed=settings.seed, epoch=epoch)
    for batch in batches:
        images = to_tensor(flip(pixels[batch]), settings.device)
        loss = _loss(state.model, images, settings.precision)
        total += gradient_step(state.optimizer, loss).item() * len(batch)
    speed = len(pixels) / (time.perf_counter() - began)
    before = state.history
    losses, speeds = (*before.losses, total / len(pixels)), (*before.images_per_second, speed)
    state.history = History(len(pixels), losses, speeds)


def _loss(model: Autoencoder, images: Tensor, precision: str) -> Tensor:
    """Mean squared error of the reconstruction, in float32 whatever the precision."""
    with autocast(precision, images.device):
        reconstructed = model(images)
    return nn.functional.mse_loss(reconstructed.float(), images)


def _save(checkpoint: Path, run_digest: str, state: _State) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    part = checkpoint.with_name(f"{checkpoint.name}.part")
    content = {
        "run_digest": run_digest,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "history": asdict(state.history),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with part.open("wb") as file:
        file.write(_sha256(buffer.getbuffer()))
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave the new name without its content
    part.replace(checkpoint)


def _sha256(content: memoryview) -> bytes:
    """The first bytes of a checkpoint: torch would load a file of which a part is zeros."""
    return hashlib.sha256(content).digest()


def _resume(checkpoint: Path, run_digest: str, epochs: int, state: _State) -> None:
    """Restore the state of an interrupted run with the same digest, if there is one."""
    if not checkpoint.exists():
        return
    content = _load(checkpoint)
    if content.get("run_digest") != run_digest:
        say(f"{checkpoint} has other settings, images or code: training starts anew")
        return
    try:
        history = History(**content["history"])
        if len(history.losses) > epochs:
            say(f"{checkpoint} has {len(history.losses)} epochs, not {epochs}: starting anew")
            return
        state.model.load_state_dict(content["model"])
        state.optimizer.load_state_dict(content["optimizer"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise WeightsError(f"{checkpoint} is damaged: delete it, and start again") from error
    state.history = history
    say(f"training resumes after epoch {len(history.losses)} of {epochs}")


def _load(checkpoint: Path) -> dict[str, Any]:
    """The content of a checkpoint; nothing if it cannot be read."""
    stored = memoryview(checkpoint.read_bytes())
    size = hashlib.sha256().digest_size
    if stored[:size] != _sha256(stored[size:]):
        say(f"{checkpoint} cannot be read: it is damaged")
        return {}
    try:
        content = read_saved(checkpoint, io.BytesIO(stored[size:]))
    except WeightsError as error:
        say(str(error))
        return {}
    return content if isinstance(content, dict) else {}


def _digest(pixels: Pixels) -> str:
    digest = hashlib.sha256(str(pixels.shape).encode())
    for chunk in chunks(pixels):
        digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()
