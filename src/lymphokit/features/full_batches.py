"""Features of a few cells, equal bit for bit to those of the same cells among many."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lymphokit.features.backbone import Backbone
from lymphokit.features.stages import View, encode_cells


def encode_in_full_batches(
    backbone: Backbone, views: Iterable[View], settings: Mapping[str, Any]
) -> Iterator[NDArray[np.float32]]:
    """Features of images with masks, batch by batch: `encode_cells` with full batches only.

    A batch of another size is computed by other kernels, which round otherwise; at the same size
    the features of an image do not depend on the others. The last batch is filled with its last
    image, whose repetitions are dropped.
    """
    size = settings["batch_size"]
    filled = _Filled(views, size)
    done = 0
    for features in encode_cells(backbone, filled, settings):
        yield features[: filled.n - done]
        done += len(features)


class _Filled:
    """Views, and the last one again until they are a multiple of `size`; n: those seen so far."""

    def __init__(self, views: Iterable[View], size: int) -> None:
        self.views = views
        self.size = size
        self.n = 0

    def __iter__(self) -> Iterator[View]:
        for view in self.views:
            self.n += 1
            yield view
        for _ in range(-self.n % self.size):
            yield view
