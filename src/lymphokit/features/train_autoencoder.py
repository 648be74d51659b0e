"""Trains the autoencoder on all images, epoch by epoch, so that a killed run can go on."""

import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lymphokit.features.autoencoder import Autoencoder, autocast, to_tensor
from lymphokit.features.compute import repeatable
from lymphokit.features.reconstruct import CHUNK, mean_image
from lymphokit.imaging.augment import training_transforms
from lymphokit.imaging.segment import Pixels
from lymphokit.progress import say
from lymphokit.provenance import settings_digest


@dataclass(frozen=True)
class History:
    """How training went, an entry an epoch.

    losses: mean squared error of colours in [0, 1] while the epoch ran, flipped images and all;
    images_per_second; n_images that each epoch saw.
    """

    n_images: int
    losses: tuple[float, ...] = ()
    images_per_second: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """How every epoch is run."""

    batch_size: int
    flips: float
    precision: str
    seed: int
    device: torch.device


@dataclass
class _State:
    """All that the next epoch needs to know of those before."""

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

    checkpoint: where the state is kept after each epoch. What is found there is gone on from if it
    has the same settings, the same images and the same `code` (a digest of the code that trains);
    the result is then, byte for byte, that of a run which was never stopped. The caller removes it
    once the weights are safe.
    Fitted on: every image of the cohort, those of test patients too, as in the report.
    Source: report 3.4.1: Adam, 5 epochs, 1e-3. The loss is not named there; it is the mean squared
    error, the error by which reconstructions are judged.
    """
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
    purpose = settings_digest(settings)
    plan = _Plan(batch_size, flips, precision, seed, device)
    with repeatable(threads):
        state = _start(pixels, latent, learning_rate, seed, device)
        _go_on_from(checkpoint, purpose, epochs, state)
        for epoch in range(len(state.history.losses), epochs):
            _run_epoch(state, pixels, epoch, plan)
            _keep(checkpoint, purpose, state)
            loss, speed = state.history.losses[-1], state.history.images_per_second[-1]
            say(f"epoch {epoch + 1} of {epochs}: squared error {loss:.5f}, {speed:.0f} images/s")
    return state.model.eval(), state.history


def _start(
    pixels: Pixels, latent: int, learning_rate: float, seed: int, device: torch.device
) -> _State:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Autoencoder(latent=latent)
        model.start_at(torch.from_numpy(mean_image(pixels).mean(axis=(0, 1))).float())
    model = model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    return _State(model, optimizer, History(len(pixels)))


def _run_epoch(state: _State, pixels: Pixels, epoch: int, plan: _Plan) -> None:
    """One pass over all images in an order, and with flips, that seed and epoch alone decide."""
    state.model.train()
    began, total = time.perf_counter(), 0.0
    transforms = training_transforms(flips=plan.flips, seed=plan.seed, epoch=epoch)
    order = np.random.default_rng([plan.seed, epoch]).permutation(len(pixels))
    for start in range(0, len(order), plan.batch_size):
        cells = order[start : start + plan.batch_size]
        batch = np.stack([transforms(image=np.array(pixels[cell]))["image"] for cell in cells])
        total += _step(state, to_tensor(batch, plan.device), plan.precision).item() * len(cells)
    speed = len(pixels) / (time.perf_counter() - began)
    before = state.history
    losses, speeds = (*before.losses, total / len(pixels)), (*before.images_per_second, speed)
    state.history = History(len(pixels), losses, speeds)


def _step(state: _State, images: Tensor, precision: str) -> Tensor:
    """One step of Adam; the batch's loss before it."""
    with autocast(precision, images.device):
        reconstructed = state.model(images)
    loss = nn.functional.mse_loss(reconstructed.float(), images)
    state.optimizer.zero_grad()
    torch.autograd.backward(loss)
    state.optimizer.step()
    return loss.detach()


def _keep(checkpoint: Path, purpose: str, state: _State) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    part = checkpoint.with_name(f"{checkpoint.name}.part")
    kept = {
        "purpose": purpose,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "history": asdict(state.history),
    }
    torch.save(kept, part)
    part.replace(checkpoint)


def _go_on_from(checkpoint: Path, purpose: str, epochs: int, state: _State) -> None:
    """Put the state back that a stopped run of the same purpose left, if there is one."""
    if not checkpoint.exists():
        return
    kept = _read(checkpoint)
    if kept.get("purpose") != purpose:
        say(f"{checkpoint} is of other settings, images or code: training starts anew")
        return
    history = History(**kept["history"])
    if len(history.losses) > epochs:
        say(f"{checkpoint} has {len(history.losses)} epochs, not {epochs}: training starts anew")
        return
    state.model.load_state_dict(kept["model"])
    state.optimizer.load_state_dict(kept["optimizer"])
    state.history = history
    say(f"training goes on after epoch {len(history.losses)} of {epochs}")


def _read(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint holds; nothing if it cannot be read."""
    try:
        kept: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError) as error:
        say(f"{checkpoint} cannot be read ({error})")
        return {}
    return kept


def _digest(pixels: Pixels) -> str:
    digest = hashlib.sha256(str(pixels.shape).encode())
    for start in range(0, len(pixels), CHUNK):
        digest.update(np.ascontiguousarray(pixels[start : start + CHUNK]).data)
    return digest.hexdigest()
