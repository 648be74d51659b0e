"""Backbones made faster, against the plain network; precision; batches made in a thread."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lymphokit.features.backbone import encode_images, load_backbone
from lymphokit.features.compute import batches, read_ahead, resolve_precision
from lymphokit.features.inference import folded, for_inference

pytestmark = pytest.mark.trains  # not a training, but what differs between processors
NETWORKS = ["test_resnet.r160_in1k", "test_efficientnet.r160_in1k", "test_vit.r160_in1k"]


def images(n: int) -> NDArray[np.uint8]:
    """Images of different colours and contrasts, so that their features differ, too."""
    rng = np.random.default_rng(0)
    levels = rng.uniform(0, 200, (n, 1, 1, 3)) + rng.uniform(0, 55, (n, 64, 64, 3))
    return np.asarray(levels.astype(np.uint8))


def with_statistics(network: nn.Module) -> nn.Module:
    """The network with the batch statistics of a trained one: those of a new one change nothing."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.bias):
                assert tensor is not None
                tensor.data = torch.randn(tensor.shape, generator=generator) / 5
            for tensor in (module.running_var, module.weight):
                assert tensor is not None
                tensor.data = torch.rand(tensor.shape, generator=generator) + 0.5
    return network


@pytest.mark.parametrize("name", [*NETWORKS, "vgg11_bn", "densenet121", "legacy_seresnet18"])
def test_a_faster_backbone_has_the_features_of_the_network(name: str) -> None:
    """The plain network is the slow twin."""
    backbone = load_backbone(name, weights="none", sha256=None, seed=1)
    with_statistics(backbone.network)
    plain = np.concatenate(list(encode_images(backbone, images(5), batch_size=5)))
    fast = for_inference(backbone, "float32")
    found = np.concatenate(list(encode_images(fast, images(5), batch_size=2)))
    assert np.abs(found - plain).max() <= 1e-4 * np.abs(plain).max()


@pytest.mark.parametrize("name", NETWORKS[:2])
def test_no_batch_norm_is_left_and_the_original_is_as_before(name: str) -> None:
    backbone = load_backbone(name, weights="none", sha256=None, seed=1)
    before = [type(module) for module in backbone.network.modules()]
    fast = for_inference(backbone, "bfloat16")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.network.modules())
    assert [type(module) for module in backbone.network.modules()] == before
    assert {each.dtype for each in backbone.network.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_ranks_images_as_float32_does(name: str) -> None:
    backbone = load_backbone(name, weights="none", sha256=None, seed=1)
    features = {}
    for precision in ("float32", "bfloat16"):
        fast = for_inference(backbone, precision)
        assert fast.precision == precision
        features[precision] = np.concatenate(list(encode_images(fast, images(12), batch_size=4)))
        assert features[precision].dtype == np.float32
    exact, rounded = features["float32"], features["bfloat16"]
    assert not np.array_equal(exact, rounded)
    centred = exact - exact.mean(axis=0)
    assert np.square(rounded - exact).sum() < 0.02 * np.square(centred).sum()


class ReadsTwice(nn.Module):
    """A network that reads a convolution with and without its batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.convolution(images)
        return torch.as_tensor((maps + self.norm(maps)).mean(dim=(2, 3)))


class SharesAConvolution(nn.Module):
    """A network with one convolution before two batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(3), nn.BatchNorm2d(3)])

    def forward(self, images: Tensor) -> Tensor:
        for norm in self.norms:
            images = norm(self.convolution(images))
        return images.mean(dim=(2, 3))


@pytest.mark.parametrize("network", [ReadsTwice, SharesAConvolution])
def test_what_cannot_be_folded_stays(network: type[nn.Module]) -> None:
    torch.manual_seed(0)
    plain = with_statistics(network()).eval()
    pixels = torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(folded(plain, 8)(pixels), plain(pixels))


def test_precision_is_that_of_the_setting_and_auto_one_of_both() -> None:
    assert resolve_precision("float32") == "float32"
    assert resolve_precision("bfloat16") == "bfloat16"
    assert resolve_precision("auto") == resolve_precision("auto")
    assert resolve_precision("auto") in ("float32", "bfloat16")


def test_items_are_made_in_another_thread_and_come_in_their_order() -> None:
    threads = set()

    def made() -> Iterator[int]:
        for item in range(5):
            threads.add(threading.current_thread())
            yield item

    assert list(read_ahead(batches(made(), 2))) == [[0, 1], [2, 3], [4]]
    assert threading.main_thread() not in threads
    assert list(read_ahead([])) == []


def test_an_error_of_the_items_is_raised_in_its_place() -> None:
    def made() -> Iterator[int]:
        yield 1
        raise ValueError("the second image is damaged")

    items = read_ahead(made())
    assert next(items) == 1
    with pytest.raises(ValueError, match="second image"):
        next(items)
