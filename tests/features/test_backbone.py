import hashlib
import re
import socket
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants as hub
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from lymphokit.errors import WeightsError
from lymphokit.features import backbone as module
from lymphokit.features import weights as hub_weights
from lymphokit.features.backbone import (
    Backbone,
    as_input,
    encode_images,
    load_backbone,
)
from lymphokit.features.compute import save_weights
from lymphokit.imaging.read import read_image

SMALL = "test_resnet.r160_in1k"  # made by timm for tests: a third of a million weights
FIXED = "test_vit.r160_in1k"  # takes images of 160 pixels and no other
REAL = "tf_efficientnet_lite0"
REAL_SHA256 = "2b4a5f7e9a1870e2c41efd811c5b04f7e5843b32900a338e3f181204a324f9c6"


def images(n: int, side: int = 96) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def random_backbone(seed: int = 1, name: str = SMALL) -> Backbone:
    return load_backbone(name, weights="none", sha256=None, seed=seed)


def from_file(path: Path, name: str = SMALL, sha256: str | None = None) -> Backbone:
    return load_backbone(name, weights=str(path), sha256=sha256, seed=1)


def features_of(
    backbone: Backbone, pixels: NDArray[np.uint8], batch: int = 4
) -> NDArray[np.float32]:
    return np.concatenate(list(encode_images(backbone, pixels, batch_size=batch)))


def known_weights() -> dict[str, Tensor]:
    """Weights of the small network as they are shared: with a classifier."""
    torch.manual_seed(8)
    weights: dict[str, Tensor] = module.timm.create_model(SMALL, num_classes=10).state_dict()
    return weights


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(known_weights(), path)
    return path


@pytest.fixture(params=["refuses", "silent"])
def no_hub(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """A hub that refuses connections or accepts them without a reply, and an empty cache."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if request.param == "silent" else 9
        monkeypatch.setattr(hub, "ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(hub_weights, "_TIMEOUT_SECONDS", 0.2)
        yield


def test_features_are_the_networks_output_for_normalised_images() -> None:
    backbone, pixels = random_backbone(), images(3)
    colours = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        expected = backbone.network((colours - 0.5) / 0.5).numpy()  # this one's mean and std
    features = features_of(backbone, pixels)
    assert features.shape == (3, backbone.n_features)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-5)


def test_read_only_images_are_copied() -> None:
    backbone, pixels = random_backbone(), images(2)
    pixels.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of a tensor that shares such memory
        taken = as_input(backbone, pixels, torch.device("cpu"))
    assert taken.is_contiguous(memory_format=torch.channels_last)
    expected = (pixels.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.5
    np.testing.assert_allclose(taken.numpy(), expected, atol=1e-6)


def test_features_do_not_depend_on_the_batches() -> None:
    backbone, pixels = random_backbone(), images(5)
    one, five = features_of(backbone, pixels, 1), features_of(backbone, pixels, 5)
    np.testing.assert_allclose(one, five, rtol=1e-3, atol=1e-5)


def test_images_are_read_batch_by_batch() -> None:
    taken: list[int] = []
    counted = (taken.append(i) or image for i, image in enumerate(images(20, side=32)))
    next(encode_images(random_backbone(), counted, batch_size=2))
    assert len(taken) <= 4  # the next batch is made meanwhile


def test_images_are_resized_for_a_network_of_one_size_only() -> None:
    backbone = random_backbone(name=FIXED)
    assert backbone.size == 160
    assert features_of(backbone, images(2, side=224)).shape == (2, backbone.n_features)
    assert random_backbone().size is None


def test_random_weights_follow_from_their_seed_and_the_source_records_it() -> None:
    first, again, other = (features_of(random_backbone(seed), images(2)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert "random weights, seed 1" in random_backbone().source


def test_a_saved_network_is_read_back_with_its_digest(tmp_path: Path) -> None:
    backbone, path = random_backbone(), tmp_path / "saved.safetensors"
    save_weights(backbone.network, path)
    loaded = from_file(path)
    np.testing.assert_array_equal(features_of(loaded, images(2)), features_of(backbone, images(2)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"saved.safetensors, sha256 {digest}" in loaded.source
    assert [file.name for file in tmp_path.iterdir()] == ["saved.safetensors"]


@pytest.mark.parametrize("kind", ["safetensors", "pth", "wrapped pth"])
def test_weights_of_a_file_are_loaded_whatever_its_kind(tmp_path: Path, kind: str) -> None:
    weights = known_weights()
    path = tmp_path / f"small.{kind.split()[-1]}"
    if kind == "safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": weights} if "wrapped" in kind else weights, path)
    loaded = from_file(path).network.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded)


def test_a_file_is_recorded_by_its_sha256(shared: Path) -> None:
    digest = hashlib.sha256(shared.read_bytes()).hexdigest()
    assert from_file(shared).source == f"{SMALL}, weights from small.safetensors, sha256 {digest}"
    assert from_file(shared, sha256=digest).n_features == 96


def test_a_file_of_another_sha256_is_refused(shared: Path) -> None:
    with pytest.raises(WeightsError, match=r"config\.yaml says 000"):
        from_file(shared, sha256="0" * 64)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights at .*nowhere\.pth"):
        from_file(tmp_path / "nowhere.pth")


def test_weights_of_another_network_are_refused_and_the_difference_is_named(shared: Path) -> None:
    with pytest.raises(WeightsError, match=r"lacking .*unknown "):
        from_file(shared, name="test_efficientnet.r160_in1k")


def test_weights_that_lack_a_layer_are_refused_not_completed_at_random(tmp_path: Path) -> None:
    weights = known_weights()
    del weights["conv1.0.weight"]
    save_file(weights, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match=r"lacking conv1\.0\.weight"):
        from_file(tmp_path / "part.safetensors")


def test_weights_without_a_batch_count_are_loaded(tmp_path: Path) -> None:
    weights = known_weights()
    old = {name: weights[name] for name in weights if not name.endswith("num_batches_tracked")}
    assert len(old) < len(weights)
    save_file(old, tmp_path / "old.safetensors")
    loaded = from_file(tmp_path / "old.safetensors").network.state_dict()
    assert all(torch.equal(loaded[name], old[name]) for name in old if name in loaded)


@pytest.mark.parametrize("name", ["damaged.safetensors", "damaged.pth"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>404</html>")
    with pytest.raises(WeightsError, match=name):
        from_file(tmp_path / name)


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("name", [SMALL, "hf-hub:timm/resnet10t.c3_in1k"])
def test_an_unreachable_hub_is_an_error_with_the_remedy_within_seconds(name: str) -> None:
    began = time.monotonic()
    with pytest.raises(WeightsError, match=r"weights: <file>.*sha256"):
        load_backbone(name, weights="hub", sha256=None, seed=1)
    assert time.monotonic() - began < 20  # the retries of the client alone take 47 s
    assert not hub.HF_HUB_OFFLINE  # as before


@pytest.mark.usefixtures("no_hub")
def test_an_unreachable_description_is_an_error_even_with_weights_from_a_file(
    shared: Path,
) -> None:
    with pytest.raises(WeightsError, match="hf-hub:timm/none"):
        from_file(shared, name="hf-hub:timm/none")


@pytest.mark.parametrize("weights", ["hub", "none"])
def test_an_unknown_network_is_an_error_that_names_similar_ones(weights: str) -> None:
    with pytest.raises(WeightsError, match=r"Unknown model .*resnet50"):
        load_backbone("resnet5", weights=weights, sha256=None, seed=1)


def test_real_weights_make_one_patients_cells_more_alike_than_anothers(real_data: Path) -> None:
    file = real_data / "weights" / f"{REAL}.imagenet.safetensors"
    backbone = from_file(file, REAL, REAL_SHA256)
    np.testing.assert_array_equal(backbone.mean.ravel(), [0.5] * 3)
    loaded = backbone.network.state_dict()
    assert all(
        torch.equal(loaded[name], tensor)
        for name, tensor in load_file(file).items()
        if name in loaded
    )
    folders = sorted((real_data / "dlmi-lymphocytosis-classification/trainset").glob("P*"))[:2]
    paths = [path for folder in folders for path in sorted(folder.glob("*.jpg"))[:6]]
    features = features_of(backbone, np.stack([read_image(path, 224) for path in paths]))
    assert features.shape == (12, 1280)
    distances = np.linalg.norm(features[:, None] - features, axis=2)
    same = np.kron(np.eye(2), np.ones((6, 6))).astype(bool)
    assert distances[same & ~np.eye(12, dtype=bool)].mean() < distances[~same].mean()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_that_are_no_numbers_are_refused_by_file_and_tensor(
    tmp_path: Path, value: float, suffix: str
) -> None:
    weights, path = known_weights(), tmp_path / f"broken.{suffix}"
    weights["conv1.0.weight"][0, 0, 0, 0] = value
    save_file(weights, path) if suffix == "safetensors" else torch.save(weights, path)
    with pytest.raises(WeightsError, match=rf"broken\.{suffix} .*conv1\.0\.weight"):
        from_file(path)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        3,
        "text",
        torch.zeros(3),
        [torch.zeros(3)],
        (torch.zeros(3), 1),
        {"epoch": 3},
        {"state_dict": None},
        {"state_dict": [torch.zeros(3)]},
        {"model": torch.zeros(3)},
        {"net": {"conv1.0.weight": torch.zeros(3)}},
        {1: torch.zeros(3)},
    ],
    ids=str,
)
def test_a_checkpoint_without_named_tensors_is_refused_by_file(
    tmp_path: Path, content: object
) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"odd\.pth holds no tensors by name"):
        from_file(tmp_path / "odd.pth")


@pytest.mark.parametrize("name", ["vgg11", "resnet18"])
def test_torchvisions_files_load_under_their_layer_names(tmp_path: Path, name: str) -> None:
    from torchvision import models

    torch.manual_seed(3)
    theirs = models.get_model(name, weights=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    backbone = from_file(tmp_path / "theirs.pth", f"{name}.tv_in1k")
    if name == "vgg11":
        last = torch.nn.Sequential(*list(theirs.classifier)[:-1])
        theirs.classifier = last
    else:
        theirs.fc = torch.nn.Identity()
    pixels = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        expected, found = theirs(pixels), backbone.network(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("https://huggingface.co/timm/resnet18.tv_in1k", "resnet18.tv_in1k or hf-hub:timm/"),
        ("https://huggingface.co/timm/resnet18.tv_in1k/tree/main", "hf-hub:timm/resnet18.tv_in1k"),
        ("huggingface.co/owner/net", "hf-hub:owner/net"),
        ("timm/resnet18.tv_in1k", "write resnet18.tv_in1k or"),
        ("owner/net", "hf-hub:owner/net"),
        ("hf-hub:https://huggingface.co/owner/net", "hf-hub:owner/net"),
        ("hf-hub:", "<owner>/<name>"),
        ("hf-hub:net", "<owner>/<name>"),
        ("https://example.org/net.pth", "address"),
        ("", "timm"),
    ],
)
@pytest.mark.parametrize("weights", ["hub", "none"])
def test_an_address_as_name_is_refused_with_the_name_to_write(
    name: str, instead: str, weights: str
) -> None:
    with pytest.raises(WeightsError, match=re.escape(instead)):
        load_backbone(name, weights=weights, sha256=None, seed=1)


@pytest.mark.parametrize("endpoint", ["localhost:8080", "huggingface.co", "ftp://x", "http://", ""])
def test_a_hub_address_without_a_scheme_is_named(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setattr(hub, "ENDPOINT", endpoint)
    with pytest.raises(WeightsError, match="HF_ENDPOINT"):
        load_backbone(SMALL, weights="hub", sha256=None, seed=1)
