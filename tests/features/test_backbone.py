import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants as hub
from numpy.typing import NDArray
from safetensors.torch import save_file

from lymphokit.errors import WeightsError
from lymphokit.features import backbone as module
from lymphokit.features.backbone import Backbone, encode_images, load_backbone

SMALL = "test_resnet"  # a few thousand weights, made by timm for tests
REAL_SHA256 = "2b4a5f7e9a1870e2c41efd811c5b04f7e5843b32900a338e3f181204a324f9c6"


def images(n: int, side: int = 96) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def random_backbone(seed: int = 1, name: str = SMALL) -> Backbone:
    return load_backbone(name, weights="none", sha256=None, seed=seed)


def features_of(backbone: Backbone, pixels: NDArray[np.uint8], batch_size: int = 4) -> NDArray[np.float32]:
    return np.concatenate(list(encode_images(backbone, pixels, batch_size=batch_size)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small network as a person would have them: with its classifier."""
    network = module.timm.create_model(SMALL, num_classes=10)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A hub that does not answer, and an empty cache."""
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    return


def test_features_are_the_networks_output_for_normalised_images() -> None:
    backbone = random_backbone()
    pixels = images(3)
    colours = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    if backbone.network.pretrained_cfg["mean"] == (0.5, 0.5, 0.5):
        mean, std = torch.tensor(0.5), torch.tensor(0.5)
    with torch.no_grad():
        expected = backbone.network((colours - mean) / std).numpy()
    np.testing.assert_allclose(features_of(backbone, pixels), expected, rtol=1e-3, atol=1e-5)
