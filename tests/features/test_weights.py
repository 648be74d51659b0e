"""Weights that can be had or not, without torch and without a network."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lymphokit.errors import ConfigError
from lymphokit.features import weights


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, no proxy, and nothing remembered of other hubs."""
    proxies = ("http_proxy", "https_proxy", "HTTPS_PROXY")
    for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", *proxies):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv(weights._FOUND, "")  # restored afterwards
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server on this machine that answers 501 to everything, as the hub's address."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("source", ["hub", "auto"])
def test_a_hub_that_answers_is_taken_to_have_the_weights(source: str) -> None:
    assert weights.missing_weights("resnet18.tv_in1k", source, []) is None


def test_a_server_that_accepts_connections_and_is_silent_is_no_hub(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weights, "_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        missing = weights.missing_weights("resnet18", "hub", [])
    assert missing is not None
    assert "resnet18" in missing


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
    folders = [tmp_path / "elsewhere", tmp_path]
    assert weights.find_weights("resnet18", "net.pth", folders) == str(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("vgg19.tv_in1k", "vgg19.tv_in1k.safetensors"),
        ("vgg19.tv_in1k", "vgg19-dcbb9e9d.pth"),  # torchvision's name
        ("vgg19", "vgg19.tv_in1k.pth"),
        ("resnet50.tv_in1k", "resnet50.safetensors"),
        ("hf-hub:org/net", "net.safetensors"),
    ],
)
@pytest.mark.usefixtures("no_hub")
def test_auto_takes_a_file_that_is_named_as_the_model(tmp_path: Path, name: str, file: str) -> None:
    for other in ("vgg19_bn-c79401a0.pth", "resnet50d.safetensors", "vgg19.md", "net2.pth"):
        (tmp_path / other).touch()
    assert weights.find_weights(name, "auto", [tmp_path]) == "hub"
    assert weights.missing_weights(name, "auto", [tmp_path]) is not None
    (tmp_path / file).touch()
    assert weights.find_weights(name, "auto", [tmp_path / "none", tmp_path]) == str(tmp_path / file)
    assert weights.missing_weights(name, "auto", [tmp_path]) is None


def test_auto_prefers_the_full_name_and_refuses_to_guess(tmp_path: Path) -> None:
    for file in ("vgg19.a.safetensors", "vgg19.b.safetensors"):
        (tmp_path / file).touch()
    found = weights.find_weights("vgg19.b", "auto", [tmp_path])
    assert found == str(tmp_path / "vgg19.b.safetensors")
    with pytest.raises(ConfigError, match=r"vgg19\.a\.safetensors, vgg19\.b\.safetensors"):
        weights.find_weights("vgg19", "auto", [tmp_path])


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
    assert weights.missing_weights("resnet18", "net.pth", [tmp_path], digest) is None
    missing = weights.missing_weights("resnet18", "net.pth", [tmp_path], "0" * 64)
    assert missing is not None
    assert str(tmp_path / "net.pth") in missing
    assert "sha256" in missing
