"""Features of an image do not depend on the images that happen to be computed with it."""

import numpy as np
import pytest

from lymphokit.features.backbone import Backbone, load_backbone
from lymphokit.features.compute import weights_digest
from lymphokit.features.full_batches import encode_in_full_batches
from lymphokit.features.inference import for_inference
from lymphokit.features.stages import View, count_features, encode_cells

SETTINGS = {"batch_size": 4, "stages": None, "pool": ["image"]}


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    loaded = load_backbone("test_resnet.r160_in1k", weights="none", sha256=None, seed=3)
    return for_inference(loaded, request.param)


def views(n: int) -> list[View]:
    rng = np.random.default_rng(5)
    mask = np.ones((64, 64), dtype=np.bool_)
    return [(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), mask) for _ in range(n)]


@pytest.mark.parametrize("stages", [None, [-2, -1]])
@pytest.mark.parametrize("chosen", [[0], [5, 2, 9], [3, 4, 5, 6], [9, 8, 7, 6, 5, 4, 3, 2, 1]])
def test_features_of_a_few_images_are_those_among_many_bit_for_bit(
    backbone: Backbone, stages: list[int] | None, chosen: list[int]
) -> None:
    settings, shown = {**SETTINGS, "stages": stages}, views(10)
    among_many = np.concatenate(list(encode_in_full_batches(backbone, shown, settings)))
    few = list(encode_in_full_batches(backbone, [shown[at] for at in chosen], settings))
    np.testing.assert_array_equal(np.concatenate(few), among_many[chosen])
    assert among_many.shape == (10, count_features(backbone, settings))
    plain = np.concatenate(list(encode_cells(backbone, shown, settings)))
    precision = 1e-4 if backbone.precision == "float32" else 0.02 * np.abs(plain).max()
    np.testing.assert_allclose(among_many, plain, atol=precision)


def test_no_image_gives_no_feature(backbone: Backbone) -> None:
    assert list(encode_in_full_batches(backbone, [], SETTINGS)) == []


def test_other_weights_and_another_precision_have_another_digest() -> None:
    def digest(seed: int, precision: str) -> str:
        origin = {"weights": "none", "sha256": None}
        loaded = load_backbone("test_resnet.r160_in1k", **origin, seed=seed)
        return weights_digest(for_inference(loaded, precision).network)

    assert digest(3, "float32") == digest(3, "float32")
    assert len({digest(3, "float32"), digest(4, "float32"), digest(3, "bfloat16")}) == 3
