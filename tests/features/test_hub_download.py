"""The hub's success path: a small server on loopback that speaks its protocol (HF_ENDPOINT)."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from lymphokit.features import backbone as module

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SMALL = "test_resnet.r160_in1k"
REAL = "tf_efficientnet_lite0.in1k"
SCRIPT = """
import sys
from pathlib import Path
from safetensors.torch import save_file
from lymphokit.features.backbone import load_backbone
from lymphokit.features.weights import missing_weights
name, saved = sys.argv[1:]
assert missing_weights(name, "hub", []) is None
backbone = load_backbone(name, weights="hub", sha256=None, seed=1)
assert backbone.source == f"{name}, weights from the hub"
save_file({key: each.contiguous() for key, each in backbone.network.state_dict().items()}, saved)
"""


@contextmanager
def hub_with(repository: str, content: bytes) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that has one repository of one file, and the requests for it."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.reply(with_body=False)

        def do_GET(self) -> None:
            self.reply(with_body=True)

        def reply(self, *, with_body: bool) -> None:
            requests.append(f"{self.command} {self.path}")
            found = self.path == f"/{repository}/resolve/main/model.safetensors"
            self.send_response(200 if found else 404)
            if found:
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            else:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", str(len(content) if found else 0))
            self.end_headers()
            if with_body and found:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def load(name: str, endpoint: str, folder: Path) -> dict[str, torch.Tensor]:
    """The weights that a fresh process has from the hub at this address."""
    proxies = {key for key in os.environ if key.lower().endswith("_proxy")}
    offline = {"HF_HUB_OFFLINE", "HF_HUB_CACHE"}
    environment = {key: each for key, each in os.environ.items() if key not in proxies | offline}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home")}
    saved = folder / "loaded.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, str(saved)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return load_file(saved)


def assert_downloaded_once(name: str, file: Path, folder: Path) -> None:
    with hub_with(f"timm/{name}", file.read_bytes()) as (endpoint, requests):
        loaded = load(name, endpoint, folder)
    served = load_file(file)
    common = loaded.keys() & served.keys()
    assert len(common) > len(loaded) / 2
    assert all(torch.equal(loaded[key], served[key]) for key in common)
    fetched = f"GET /timm/{name}/resolve/main/model.safetensors"
    assert requests.count(fetched) == 1
    again = load(name, endpoint, folder)  # the server is gone: this is the cache
    assert all(torch.equal(again[key], loaded[key]) for key in loaded)


def test_weights_are_downloaded_from_the_hub_once_and_then_cached(tmp_path: Path) -> None:
    torch.manual_seed(8)
    weights = module.timm.create_model(SMALL, num_classes=1000).state_dict()
    save_file(weights, tmp_path / "model.safetensors")
    assert_downloaded_once(SMALL, tmp_path / "model.safetensors", tmp_path)


def test_a_published_file_is_downloaded_from_the_hub(real_data: Path, tmp_path: Path) -> None:
    file = real_data / "weights" / "tf_efficientnet_lite0.imagenet.safetensors"
    assert_downloaded_once(REAL, file, tmp_path)
