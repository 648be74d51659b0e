"""Intermediate stages of a backbone, averaged over parts of the image: one pass for all of them.

Early stages see texture at a fine scale, late stages whole objects as the network was taught them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features.backbone import Backbone, as_input, encode_images
from lymphokit.features.compute import batches, best_device, read_ahead

Part = Literal["image", "centre", "cell"]
View = tuple[NDArray[np.uint8], NDArray[np.bool_]]  # an image (h, w, 3) and its mask (h, w)


def count_features(backbone: Backbone, settings: Mapping[str, Any]) -> int:
    """The number of features of a cell; settings: those of `encode_cells`.

    Raises WeightsError where the network has no such stages.
    """
    stages = settings["stages"]
    if stages is None:
        return backbone.n_features
    side = backbone.size or 224
    blank = np.zeros((1, side, side, 3), dtype=np.uint8)
    pixels = as_input(backbone, blank, torch.device("cpu"))
    maps = _stage_maps(backbone, backbone.network, pixels, stages)
    return len(settings["pool"]) * sum(each.shape[1] for each in maps)


def encode_cells(
    backbone: Backbone, views: Iterable[View], settings: Mapping[str, Any]
) -> Iterator[NDArray[np.float32]]:
    """Features of images with masks, batch by batch: (n, n_features) float32.

    settings: of a backbone; `batch_size`; `stages`, positions among the stages that timm lists for
    the network, one for each halving of the image, -1 the last, or None for the features before
    its classifier; `pool`, the parts that each stage is averaged over, one after the other: the
    whole `image`, its `centre` (the middle half of each side), or the mask of the `cell`.
    Raises WeightsError where the network has no such stages.
    """
    size = settings["batch_size"]
    if settings["stages"] is None:
        yield from encode_images(backbone, (image for image, _ in views), batch_size=size)
        return
    device = best_device()
    network = backbone.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for batch in read_ahead(batches(views, size)):
        images, masks = (np.stack(each) for each in zip(*batch, strict=True))
        inside = torch.from_numpy(masks)
        weights = [part_weights(inside, part).to(device) for part in settings["pool"]]
        with torch.inference_mode():
            pixels = as_input(backbone, images, device)
            maps = _stage_maps(backbone, network, pixels, settings["stages"])
            features = [part_mean(each.float(), weight) for weight in weights for each in maps]
        yield torch.cat(features, dim=1).cpu().numpy()


def part_weights(masks: Tensor, part: Part) -> Tensor:
    """The pixels of a part: masks (n, h, w) bool -> (n, 1, h, w) float32 in {0, 1}.

    An empty mask of a cell stands for the whole image.
    """
    weights = torch.ones_like(masks, dtype=torch.float32)
    if part == "centre":
        height, width = masks.shape[1:]
        inside = torch.zeros_like(weights)
        inside[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = 1
        weights = inside
    if part == "cell":
        is_empty = ~masks.flatten(1).any(dim=1)
        weights = (masks | is_empty[:, None, None]).float()
    return weights[:, None]


def part_mean(stage: Tensor, weights: Tensor) -> Tensor:
    """Mean of a stage (n, channels, rows, columns) over a part (n, 1, h, w): (n, channels).

    A position of the stage weighs as much as the share of its area that the part covers.
    """
    share = nn.functional.adaptive_avg_pool2d(weights, (stage.shape[-2], stage.shape[-1]))
    return (stage * share).sum(dim=(2, 3)) / share.sum(dim=(2, 3))


def _stage_maps(
    backbone: Backbone, network: nn.Module, pixels: Tensor, stages: Sequence[int]
) -> list[Tensor]:
    try:
        maps: list[Tensor] = network.forward_intermediates(  # type: ignore[operator]
            pixels, indices=list(stages), intermediates_only=True
        )
    except (AttributeError, AssertionError, IndexError) as error:  # timm's, by network
        raise WeightsError(
            f"{backbone.source}: has no stages {list(stages)}; under backbones in config.yaml set "
            "`stages` to fewer, or to null for the features before its classifier"
        ) from error
    return maps
