"""Where the weights of a backbone are, and whether they can be had, decided before any job starts.

Without torch and timm, for the plan of every run asks.
"""

import os
import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from lymphokit.digest_cache import shared
from lymphokit.errors import ConfigError
from lymphokit.features.hub_names import endpoint_fault
from lymphokit.files import user_path
from lymphokit.folders import paths_in

AUTO, HUB, NONE = "auto", "hub", "none"
# A server that accepts connections and says nothing is no hub: the plan waits so long, once.
_TIMEOUT_SECONDS = 5.0
_FOUND = "LYMPHOKIT_HUB"  # environment variable: the address, and whether it responds
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors")
_SUFFIXES = (".safetensors", ".pth")


def find_weights(name: str, weights: str, folders: Sequence[Path]) -> str:
    """The source of a timm model's weights: `hub`, `none`, or the path of a file.

    weights: as in config.yaml. A name of a file is looked for in each of `folders`, and stays as it
    is where none has it. `auto` is the one file there that is named as the model by timm or
    torchvision (`vgg19.tv_in1k.safetensors`, `vgg19-dcbb9e9d.pth`), else `hub`.
    Raises ConfigError for a path that the file system cannot hold, and for `auto` with several.
    """
    if weights in (HUB, NONE):
        return weights
    if weights == AUTO:
        return str(_file_of(name, folders) or HUB)
    places = [folder / user_path(weights, "weights") for folder in folders]
    return str(next((place for place in places if place.is_file()), weights))


def missing_weights(
    name: str, weights: str, folders: Sequence[Path], sha256: str | None = None
) -> str | None:
    """Why a timm model cannot have its weights; None where it can.

    name: as timm knows it; weights and folders: those of `find_weights`; sha256: the digest that a
    file must have, None for any.
    """
    source = find_weights(name, weights, folders)
    if source == NONE:
        return None
    if source == HUB:
        return _missing_at_hub(name)
    file = Path(source)
    if not file.is_file():
        places = ", ".join(str(folder.absolute()) for folder in folders)
        return f"there is no file {weights} in {places}"
    if sha256 in (None, shared().sha256(file)):
        return None
    return f"{file} has another sha256 than config.yaml gives: correct it, or set it to null"


def _file_of(name: str, folders: Sequence[Path]) -> Path | None:
    """The file of a model in the first folder that has one: its full name, else any training's.

    Files of one architecture that was trained in several ways differ behind its name.
    """
    model = name.rpartition("/")[2].rpartition(":")[2]
    architecture = re.escape(model.partition(".")[0])
    pattern = re.compile(rf"{architecture}([.-].*)?({'|'.join(map(re.escape, _SUFFIXES))})")
    for folder in folders:
        found = [
            file for file in paths_in(folder) if pattern.fullmatch(file.name) and file.is_file()
        ]
        exact = [file for file in found if file.stem == model]
        if len(exact or found) > 1:
            names = ", ".join(file.name for file in exact or found)
            raise ConfigError(
                f"backbone {name}: {folder.absolute()} has {names}; name one as `weights` under "
                "backbones in config.yaml"
            )
        if found:
            return (exact or found)[0]
    return None


def _missing_at_hub(name: str) -> str | None:
    """Why neither the cache nor the hub has the weights of a model; None where one has."""
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if fault := endpoint_fault(endpoint):
        return fault
    if _is_cached(name):
        return None
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
        return f"{name} is not in the cache, and HF_HUB_OFFLINE is set"
    if hub_is_reachable(endpoint):
        return None
    return f"{name} is not in the cache and {endpoint} cannot be reached"


def hub_is_reachable(endpoint: str) -> bool:
    """Whether a server responds at the hub's address, through a proxy where one is set.

    Without this request the hub's client repeats each request five times with a fixed timeout
    of a minute: 47 seconds without a network (huggingface_hub 2.4), minutes behind a firewall.
    The jobs that this process starts take over what it found: they agree with the plan of the run.
    """
    known = os.environ.get(_FOUND, "").split(" ")
    if known[0] != endpoint:
        known = [endpoint, "responds" if _responds(endpoint) else "silent"]
        os.environ[_FOUND] = " ".join(known)
    return known[1:] == ["responds"]


def _responds(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(endpoint, timeout=_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # an HTTP status, so the server is there
    except (OSError, ValueError):
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
