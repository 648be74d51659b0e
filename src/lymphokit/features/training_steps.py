"""Steps of every training of a network on images: batches of an epoch, flips, gradient steps."""

import os
import random
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it requests its version online
import albumentations

Pixels = NDArray[np.uint8]


def draw_batches(n: int, size: int, *, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Positions 0 to n - 1 in random order, in batches; the last may be smaller.

    The order follows from seed and epoch alone, so that a resumed run repeats it.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return np.split(order, range(size, n, size))


def random_flips(probability: float, *, seed: int, epoch: int) -> Callable[[Pixels], Pixels]:
    """A function that flips images (n, h, w, 3) at random, horizontally and vertically.

    Each flip of each image has this probability: a cell under the microscope has no upright. The
    draws come image by image and follow from seed and epoch alone, whatever the batches.
    """
    flips = albumentations.Compose(
        [albumentations.HorizontalFlip(p=probability), albumentations.VerticalFlip(p=probability)]
    )
    # Not `Compose(seed=...)`: it gives each flip a generator with the same seed, so that both
    # always happen together. One generator for both makes them independent.
    rng = np.random.default_rng([seed, epoch])
    flips.set_random_state(rng, random.Random(int(rng.integers(2**63))))
    return lambda images: np.stack([flips(image=image)["image"] for image in images])


def gradient_step(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """One step of the optimizer on a loss; the loss, without its graph."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.detach()
