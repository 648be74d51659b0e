"""What training does to an image so that the network does not learn which way up it was."""

import os
import random

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its version
import albumentations


def training_transforms(*, flips: float, seed: int, epoch: int) -> albumentations.Compose:
    """Horizontal and vertical flips, each with probability `flips`: `t(image=pixels)["image"]`.

    pixels (h, w, 3) uint8. The draws follow from seed and epoch alone and come image by image, so
    an epoch that is begun again sees what it saw. A cell under the microscope has no upright.
    """
    transforms = albumentations.Compose(
        [albumentations.HorizontalFlip(p=flips), albumentations.VerticalFlip(p=flips)]
    )
    # Not `Compose(seed=...)`: that gives each flip a generator of its own with the same seed, and
    # the two then always happen together. One generator for both makes them independent.
    numpy_draws = np.random.default_rng([seed, epoch])
    transforms.set_random_state(numpy_draws, random.Random(int(numpy_draws.integers(2**63))))
    return transforms
