import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants as hub
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features import alexnet as module
from lymphokit.features.backbone import Backbone, encode_images, load_backbone, timm

URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"


def normalised_images(n: int) -> Tensor:
    return torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def torchvisions() -> nn.Module:
    """AlexNet as torchvision makes it, with its classifier of 1000."""
    torch.manual_seed(5)
    network: nn.Module = module.torchvision.models.alexnet().eval()
    return network


@pytest.fixture(scope="module")
def shared(torchvisions: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights as torchvision shares them: in torch's cache, if a test makes this its home."""
    path = tmp_path_factory.mktemp("torch") / "checkpoints" / URL.rpartition("/")[2]
    path.parent.mkdir()
    torch.save(torchvisions.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def from_file(shared: Path) -> Backbone:
    return load_backbone("alexnet", weights=str(shared), sha256=None, seed=1)


def penultimate(network: nn.Module, images: Tensor) -> Tensor:
    """The features of torchvision's network, its classifier cut off by hand."""
    with torch.no_grad():
        pooled = network.get_submodule("avgpool")(network.get_submodule("features")(images))
        layers = list(network.get_submodule("classifier").children())[:-1]
        features: Tensor = nn.Sequential(*layers)(pooled.flatten(1))
    return features


def test_weights_of_torchvisions_file_give_its_penultimate_features(
    from_file: Backbone, torchvisions: nn.Module
) -> None:
    images = normalised_images(3)
    with torch.no_grad():
        features = from_file.network(images)
    assert features.shape == (3, 4096)
    assert from_file.n_features == 4096
    torch.testing.assert_close(features, penultimate(torchvisions, images))
    assert (features > 0).any()


def test_images_of_any_size_are_normalised_by_imagenets_colours(from_file: Backbone) -> None:
    np.testing.assert_allclose(from_file.mean.ravel(), [0.485, 0.456, 0.406])
    np.testing.assert_allclose(from_file.std.ravel(), [0.229, 0.224, 0.225])
    assert from_file.size is None
    images = np.zeros((2, 72, 80, 3), dtype=np.uint8)
    assert next(encode_images(from_file, images, batch_size=2)).shape == (2, 4096)


def test_pretrained_weights_are_those_of_torchvision(
    monkeypatch: pytest.MonkeyPatch, shared: Path, torchvisions: nn.Module
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(shared.parent.parent))
    classifier = timm.create_model("alexnet", pretrained=True).eval()
    images = normalised_images(2)
    with torch.no_grad():
        torch.testing.assert_close(classifier(images), torchvisions(images))


def test_with_another_number_of_classes_only_the_last_layer_is_new(
    monkeypatch: pytest.MonkeyPatch, shared: Path, torchvisions: nn.Module
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(shared.parent.parent))
    classifier = timm.create_model("alexnet", pretrained=True, num_classes=7).eval()
    images = normalised_images(2)
    torch.testing.assert_close(penultimate(classifier, images), penultimate(torchvisions, images))
    assert classifier(images).shape == (2, 7)


def test_an_unreachable_torchvision_is_an_error_with_url_and_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def refuse(url: str, *_: object, **__: object) -> None:
        asked.append(url)
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(WeightsError, match=rf"at {URL} .*weights: <file>.*sha256"):
        load_backbone("alexnet", weights="hub", sha256=None, seed=1)
    assert asked == [URL]


def test_images_that_are_not_rgb_are_refused() -> None:
    with pytest.raises(ValueError, match="not 1 channels"):
        timm.create_model("alexnet", in_chans=1)
