"""Stages of a network averaged over parts of the image, against averages made by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lymphokit.errors import WeightsError
from lymphokit.features.backbone import as_input, encode_images, load_backbone
from lymphokit.features.stages import (
    Part,
    View,
    count_features,
    encode_cells,
    part_mean,
    part_weights,
)

SMALL = "test_resnet.r160_in1k"
SETTINGS: dict[str, Any] = {"batch_size": 3, "stages": [-2, -1], "pool": ["image"]}
CPU = torch.device("cpu")


def views(n: int, side: int = 96) -> list[View]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    masks = np.zeros((n, side, side), dtype=bool)
    masks[:, side // 3 : side // 2, side // 4 :] = True
    return list(zip(images, masks, strict=True))


def encoded(n: int = 5, name: str = SMALL, **changes: Any) -> NDArray[np.float32]:
    settings = SETTINGS | changes
    backbone = load_backbone(name, weights="none", sha256=None, seed=1)
    features = np.concatenate(list(encode_cells(backbone, views(n), settings)))
    assert features.shape == (n, count_features(backbone, settings))
    return features


@pytest.mark.parametrize(
    "name",
    [SMALL, "test_efficientnet.r160_in1k", "test_vit.r160_in1k", "vgg11", "legacy_seresnet18"],
)
def test_any_network_has_stages(name: str) -> None:
    assert np.isfinite(encoded(1, name, pool=["cell"])).all()


def test_without_stages_features_are_those_before_the_classifier() -> None:
    backbone = load_backbone(SMALL, weights="none", sha256=None, seed=1)
    expected = np.concatenate(
        list(encode_images(backbone, (image for image, _ in views(5)), batch_size=2))
    )
    np.testing.assert_allclose(encoded(stages=None), expected, rtol=1e-4, atol=1e-5)


def test_the_last_stage_averaged_over_the_image_is_the_pooled_feature() -> None:
    """This network ends with a mean over its last map."""
    np.testing.assert_allclose(encoded(stages=[-1]), encoded(stages=None), rtol=1e-4, atol=1e-5)


def test_parts_and_stages_follow_one_another() -> None:
    both = encoded(pool=["image", "cell"], stages=[-2, -1])
    single = [
        encoded(pool=[part], stages=[stage]) for part in ("image", "cell") for stage in (-2, -1)
    ]
    np.testing.assert_allclose(both, np.concatenate(single, axis=1), rtol=1e-4, atol=1e-5)


def test_batches_change_nothing() -> None:
    np.testing.assert_allclose(
        encoded(pool=["cell"], batch_size=1), encoded(pool=["cell"], batch_size=5), atol=1e-4
    )


def test_each_position_weighs_as_its_area_in_the_mask() -> None:
    """Against a loop over positions of the stage and pixels of the mask."""
    rng = np.random.default_rng(1)
    stage, mask = rng.normal(size=(2, 3, 4, 4)), rng.random((2, 32, 32)) < 0.3
    mask[0, :16] = False
    weights = part_weights(torch.from_numpy(mask), "cell")
    found = part_mean(torch.from_numpy(stage).float(), weights).numpy()
    for cell in range(2):
        total, covered = np.zeros(3), 0.0
        for row in range(4):
            for column in range(4):
                block = mask[cell, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
                total += block.mean() * stage[cell, :, row, column]
                covered += block.mean()
        np.testing.assert_allclose(found[cell], total / covered, rtol=1e-4)


def test_what_is_outside_the_cell_has_no_weight() -> None:
    stage = torch.zeros(1, 1, 4, 4)
    stage[..., 2:, :] = 1000.0
    mask = torch.zeros(1, 32, 32, dtype=torch.bool)
    mask[:, :16] = True
    assert part_mean(stage, part_weights(mask, "cell")).item() == 0


def test_an_empty_mask_stands_for_the_whole_image() -> None:
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[1, 0, 0] = True
    weights = part_weights(masks, "cell")
    assert weights[0].min() == 1
    assert weights[1].sum() == 1


@pytest.mark.parametrize(("part", "pixels"), [("image", 64), ("centre", 16), ("cell", 5)])
def test_a_part_has_its_pixels(part: Part, pixels: int) -> None:
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, 3, :5] = True
    assert part_weights(masks, part).sum() == pixels


@pytest.mark.parametrize("stages", [[40], [-40]])
def test_a_stage_that_the_network_lacks_is_an_error(stages: list[int]) -> None:
    with pytest.raises(WeightsError, match="stages"):
        encoded(1, stages=stages)


def test_a_network_without_stages_is_an_error() -> None:
    with pytest.raises(WeightsError, match="stages"):
        encoded(1, "alexnet")


def test_input_is_normalised_as_for_the_head() -> None:
    backbone = load_backbone(SMALL, weights="none", sha256=None, seed=1)
    (image, mask), *_ = views(1)
    pixels = as_input(backbone, image[None], CPU)
    with torch.inference_mode():
        (stage,) = backbone.network.forward_intermediates(
            pixels, indices=[-1], intermediates_only=True
        )
    expected = part_mean(stage, part_weights(torch.from_numpy(mask[None]), "cell"))
    (found,) = encode_cells(
        backbone, [(image, mask)], {"batch_size": 1, "stages": [-1], "pool": ["cell"]}
    )
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
