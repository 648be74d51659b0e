"""Whether the weights of a backbone can be had, decided before any job starts.

Without torch and timm, for the plan of every run asks.
"""

import os
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from lymphokit.digest_cache import shared
from lymphokit.features.hub_names import endpoint_fault
from lymphokit.files import user_path

HUB, NONE = "hub", "none"
_TIMEOUT_SECONDS = 2.0
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors")


def find_file(weights: str, folders: Sequence[Path]) -> Path | None:
    """The file of weights of this name in the first of these folders that has it.

    Raises ConfigError for a path that the file system cannot hold.
    """
    if weights in (HUB, NONE):
        return None
    places = [folder / user_path(weights, "weights") for folder in folders]
    return next((place for place in places if place.is_file()), None)


def missing_weights(name: str, weights: str, folders: Sequence[Path]) -> str | None:
    """Why a timm model cannot have its weights; None where it can.

    name: as timm knows it; weights: `hub`, `none`, or a file that is looked for in `folders`.
    """
    if weights == NONE:
        return None
    if weights == HUB:
        if fault := endpoint_fault(_endpoint()):
            return fault
        if _is_cached(name) or _hub_is_reachable(_endpoint()):
            return None
        return f"{name} is not in the cache and {_endpoint()} cannot be reached"
    if find_file(weights, folders):
        return None
    places = ", ".join(str(folder.absolute()) for folder in folders)
    return f"there is no file {weights} in {places}"


def other_weights(weights: str, folders: Sequence[Path], sha256: str | None) -> str | None:
    """Why a file of weights is not the one that `sha256` pins; None where it is, or any may be."""
    file = find_file(weights, folders)
    if file is None or sha256 in (None, shared().sha256(file)):
        return None
    return f"{file} has another sha256 than config.yaml gives: correct it, or set it to null"


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


@cache
def _hub_is_reachable(endpoint: str) -> bool:
    """Whether a server listens at the hub's address; a proxy is taken to lead there."""
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
        return False
    parts = urlsplit(endpoint)
    if parts.hostname is None:
        return False
    if parts.scheme in getproxies():
        return True
    try:
        address = (parts.hostname, parts.port or (80 if parts.scheme == "http" else 443))
        socket.create_connection(address, timeout=_TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def _is_cached(name: str) -> bool:
    """Whether the hub's cache, or torch's for models that are not on the hub, has the weights."""
    home = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    repository = name.partition(":")[2] if ":" in name else f"timm/{name}"
    folder = hub / f"models--{repository.replace('/', '--')}" / "snapshots"
    if any(any(folder.glob(f"*/{file}")) for file in _WEIGHT_FILES):
        return True
    torch_home = Path(os.environ.get("TORCH_HOME") or "~/.cache/torch").expanduser()
    return any((torch_home / "hub" / "checkpoints").glob(f"{name}-*.pth"))
