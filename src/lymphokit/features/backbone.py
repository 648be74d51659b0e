"""Any timm model as a source of features; one door for its weights, and it never guesses."""

import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from huggingface_hub import constants as hub
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features.torchvision_ops import declare_missing_operators
from lymphokit.provenance import file_sha256

declare_missing_operators()  # before timm, which imports torchvision

import timm  # noqa: E402
from timm.data.config import resolve_model_data_config  # noqa: E402
from timm.models import load_state_dict  # noqa: E402

import lymphokit.features.alexnet  # noqa: E402, F401  makes it known to timm

HUB, NONE = "hub", "none"
_OF_THE_HUB = ("hf-hub:", "hf_hub:")  # how timm names networks that only the hub describes
_UNUSED = "num_batches_tracked"
_CLASSIFIERS = ("classifier", "fc", "head", "AuxLogits")  # Inception has one on the way, too
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Backbone:
    """A network whose pooled penultimate features describe a cell.

    mean and std (3,) normalise RGB in [0, 1]; size is the side in pixels it was made for, None
    where it takes any; source says, in words, which network it is and where its weights are from.
    """

    network: nn.Module
    mean: Tensor
    std: Tensor
    size: int | None
    n_features: int
    source: str


def load_backbone(name: str, *, weights: str, sha256: str | None, seed: int) -> Backbone:
    """A timm model by name, with weights from the hub, from a file, or none.

    name: anything `timm.create_model` takes, `hf-hub:...` too. weights: `hub`; `none`, a random
    start from `seed`, which the source then says; or the path of a .safetensors or .pth file.
    sha256: what the file must have; None accepts any and records it.
    Raises WeightsError where the model or its weights cannot be had as named.
    """
    if weights == HUB:
        network, origin = _create(name, pretrained=True), "weights from the hub"
    elif weights == NONE:
        torch.manual_seed(seed)
        network, origin = _create(name), f"random weights, seed {seed}"
    else:
        network = _create(name)
        origin = _load_file(network, name, Path(weights), sha256)
    network = network.eval().requires_grad_(False)
    about: dict[str, Any] = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    fixed = bool(getattr(network, "pretrained_cfg", {}).get("fixed_input_size"))
    size = int(about["input_size"][-1]) if fixed else None
    mean, std = (torch.tensor(about[key]).view(3, 1, 1) for key in ("mean", "std"))
    n_features = _count_features(network, size or 224)
    return Backbone(network, mean, std, size, n_features, f"{name}, {origin}")


def save_network(network: nn.Module, path: Path) -> None:
    """Write the weights of a network without a classifier, for `load_backbone` to read.

    A .safetensors file, whole or not at all.
    """
    weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    part = path.with_name(f"{path.name}.part")
    save_file(weights, part)
    part.replace(path)


def encode_images(
    backbone: Backbone, images: Iterable[NDArray[np.uint8]], *, batch_size: int
) -> Iterator[NDArray[np.float32]]:
    """Features of images (h, w, 3) RGB uint8, batch by batch: (n, n_features) float32.

    Images keep their size unless the network takes only its own.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = backbone.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for batch in _batches(images, batch_size):
        pixels = as_input(backbone, np.stack(batch), device)
        with torch.inference_mode():
            features = network(pixels)
        yield features.float().cpu().numpy()


def as_input(backbone: Backbone, images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Images (n, h, w, 3) RGB uint8 as the network takes them: (n, 3, h, w), channels last.

    Normalised by the backbone's mean and std, and resized only if it takes no size but its own.
    """
    own = torch.from_numpy(np.array(images))  # a copy: a memory map may not be written to
    pixels = own.to(device).permute(0, 3, 1, 2).float().div(255)
    if backbone.size is not None and pixels.shape[-1] != backbone.size:
        sides = (backbone.size, backbone.size)
        pixels = nn.functional.interpolate(pixels, sides, mode="bilinear", antialias=True)
    pixels = (pixels - backbone.mean.to(device)) / backbone.std.to(device)
    return pixels.contiguous(memory_format=torch.channels_last)


def _batches(images: Iterable[NDArray[np.uint8]], size: int) -> Iterator[list[NDArray[np.uint8]]]:
    batch: list[NDArray[np.uint8]] = []
    for image in images:
        batch.append(image)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _create(name: str, *, pretrained: bool = False) -> nn.Module:
    """A network without a classifier. The hub is asked for weights, and for what it alone knows."""
    if not pretrained and not name.startswith(_OF_THE_HUB):
        return _create_here(name, pretrained=False)
    try:
        with _no_waiting_for_a_hub_out_of_reach():
            return _create_here(name, pretrained)
    except OSError as error:  # all that the hub raises where it or the file cannot be had
        lacking = "its weights" if pretrained else "its description"
        raise WeightsError(
            f"backbone {name}: {lacking} cannot be had from {_address(name)} nor from the cache "
            f"({type(error).__name__}); download weights elsewhere and set `weights: <file>` and "
            "its `sha256` under backbones in config.yaml, or `weights: none` for a random start; "
            "a network named hf-hub:... needs the hub for either"
        ) from error


def _create_here(name: str, pretrained: bool) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0)
    except RuntimeError as error:  # how timm says that it has no such model or no weights of it
        close = ", ".join(timm.list_models(f"*{name.split('.')[0][:6]}*")[:8])
        raise WeightsError(
            f"backbone {name}: {error}; timm has {close or 'none like it'}"
        ) from error
    return network


def _address(name: str) -> str:
    """Where a network's weights are fetched from: the hub, but for those that it does not have."""
    about = timm.get_pretrained_cfg(name)
    return str(about.url) if about and about.url and not about.hf_hub_id else hub.ENDPOINT


@contextmanager
def _no_waiting_for_a_hub_out_of_reach() -> Iterator[None]:
    """Within, only the cache is asked where the hub does not answer: retries take a minute."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = before or not _answers(hub.ENDPOINT)
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=_PATIENCE_SECONDS).close()
    except urllib.error.HTTPError:
        return True  # an answer, if not the one hoped for
    except OSError:
        return False
    return True


def _load_file(network: nn.Module, name: str, file: Path, sha256: str | None) -> str:
    """Load weights into a network without a classifier; where they are from, in words."""
    if not file.is_file():
        raise WeightsError(
            f"backbone {name}: no weights at {file.absolute()}; `weights` under backbones in "
            "config.yaml takes hub, none, or a .safetensors or .pth file"
        )
    found = file_sha256(file)
    if sha256 is not None and found != sha256:
        raise WeightsError(f"backbone {name}: {file} has sha256 {found}, config.yaml says {sha256}")
    state = _read(name, file)
    own = network.state_dict()
    head = {key for key in state if key.split(".")[0] in _CLASSIFIERS}
    # Older files do not count the batches of batch norms, and nothing is computed from it.
    missing = sorted(key for key in set(own) - set(state) if not key.endswith(_UNUSED))
    foreign = sorted(set(state) - set(own) - head)
    misfits = sorted(key for key in own.keys() & state if own[key].shape != state[key].shape)
    if missing or foreign or misfits:
        told = {"lacking": missing, "unknown": foreign, "of another shape": misfits}
        found_wrong = "; ".join(f"{w} {', '.join(k[:3])}" for w, k in told.items() if k)
        raise WeightsError(f"backbone {name}: {file} is not of this network: {found_wrong}")
    network.load_state_dict({key: state.get(key, tensor) for key, tensor in own.items()})
    return f"weights from {file.name}, sha256 {found}"


def _read(name: str, file: Path) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = load_state_dict(str(file))
    except (OSError, EOFError, RuntimeError, UnpicklingError, SafetensorError) as error:
        raise WeightsError(
            f"backbone {name}: {file} cannot be read as weights ({error}); download it anew"
        ) from error
    return state


def _count_features(network: nn.Module, side: int) -> int:
    with torch.inference_mode():
        return int(network(torch.zeros(1, 3, side, side)).shape[1])
