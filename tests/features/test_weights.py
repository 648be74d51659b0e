"""Weights that can be had or not, without torch and without a network."""

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lymphokit.features import weights


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, no proxy, and nothing remembered of other hubs."""
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights._hub_is_reachable.cache_clear()
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A port on this machine that accepts connections, as the hub's address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")


@pytest.mark.usefixtures("hub")
def test_a_hub_that_listens_is_taken_to_have_the_weights() -> None:
    assert weights.missing_weights("resnet18.tv_in1k", "hub", []) is None


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet18.tv_in1k", "hf/hub/models--timm--resnet18.tv_in1k/snapshots/1/model.safetensors"),
        ("hf-hub:org/net", "hf/hub/models--org--net/snapshots/1/pytorch_model.bin"),
        ("alexnet", "torch/hub/checkpoints/alexnet-owt-7be5be79.pth"),
    ],
)
def test_without_a_hub_the_cache_serves(no_cache: Path, name: str, file: str) -> None:
    missing = weights.missing_weights(name, "hub", [])
    assert missing is not None
    assert name in missing
    (no_cache / file).parent.mkdir(parents=True)
    (no_cache / file).touch()
    assert weights.missing_weights(name, "hub", []) is None


@pytest.mark.usefixtures("no_hub")
def test_random_weights_and_files_need_no_hub(tmp_path: Path) -> None:
    assert weights.missing_weights("resnet18", "none", []) is None
    missing = weights.missing_weights("resnet18", "net.pth", [tmp_path])
    assert missing is not None
    assert "net.pth" in missing
    (tmp_path / "net.pth").touch()
    assert weights.missing_weights("resnet18", "net.pth", [tmp_path]) is None
    assert weights.find_file("net.pth", [tmp_path / "elsewhere", tmp_path]) == tmp_path / "net.pth"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("endpoint", ["huggingface.co", "", "http://"])
def test_an_endpoint_without_an_address_is_no_hub(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint or "nowhere")
    assert weights.missing_weights("resnet18", "hub", []) is not None


@pytest.mark.usefixtures("hub")
def test_offline_mode_asks_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert weights.missing_weights("resnet18", "hub", []) is not None


def test_a_file_with_another_digest_than_configured_is_named_before_any_job(
    tmp_path: Path,
) -> None:
    (tmp_path / "net.pth").write_bytes(b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    assert weights.other_weights("net.pth", [tmp_path], digest) is None
    missing = weights.other_weights("net.pth", [tmp_path], "0" * 64)
    assert missing is not None
    assert str(tmp_path / "net.pth") in missing
    assert "sha256" in missing
