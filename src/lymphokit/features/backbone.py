"""Backbones: any timm model as an encoder of images, with weights from exactly one named source."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from huggingface_hub import constants as hub
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lymphokit.errors import WeightsError
from lymphokit.features.compute import (
    NOT_WEIGHTS,
    batches,
    best_device,
    pixels_to_tensor,
    read_ahead,
    read_saved,
)
from lymphokit.features.hub_names import PREFIXES, endpoint_fault, name_fault
from lymphokit.features.torchvision_ops import declare_missing_operators
from lymphokit.features.weights import HUB, NONE, hub_is_reachable
from lymphokit.provenance import file_sha256

declare_missing_operators()  # before timm, which imports torchvision

import timm  # noqa: E402
from timm.data.config import resolve_model_data_config  # noqa: E402
from timm.models import clean_state_dict  # noqa: E402

import lymphokit.features.alexnet  # noqa: E402, F401  registers it with timm

_ENTRIES = ("state_dict_ema", "model_ema", "state_dict", "model")  # of checkpoints, in timm's order
_UNUSED = "num_batches_tracked"  # of batch norm; older files lack it, nothing depends on it
# AuxLogits: a second one in Inception; last_linear: of the SENets
_CLASSIFIERS = ("classifier", "fc", "head", "last_linear", "AuxLogits")
# Layers of timm's VGG that torchvision names otherwise and keeps flat: name, and shape behind the
# output channels.
_VGG_LAYERS = {
    "classifier.0": ("pre_logits.fc1", (512, 7, 7)),
    "classifier.3": ("pre_logits.fc2", (4096, 1, 1)),
}


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier: its pooled penultimate features describe a cell.

    mean and std (3,) normalise RGB in [0, 1]; size: the only side in pixels that it accepts, None
    for any; source: which network it is and where its weights are from, as text; precision:
    float32 or bfloat16, of its weights and its input.
    """

    network: nn.Module
    mean: Tensor
    std: Tensor
    size: int | None
    n_features: int
    source: str
    precision: str = "float32"


def load_backbone(name: str, *, weights: str, sha256: str | None, seed: int) -> Backbone:
    """A timm model by name, with weights from the hub, from a file, or none.

    name: anything that `timm.create_model` accepts, including `hf-hub:...`.
    weights: `hub`; `none` for random weights from `seed`, recorded in `source`; or the path of a
    .safetensors or .pth file, timm's or torchvision's.
    sha256: required digest of the file; None accepts any and records it.
    Raises WeightsError where the model or exactly these weights are not available.
    """
    if fault := name_fault(name):
        raise WeightsError(f"backbone {name}: {fault}, as `timm` under backbones in config.yaml")
    if weights == HUB:
        network, origin = _create(name, pretrained=True), "weights from the hub"
        _require_finite(name, "the hub's file", network.state_dict())
    elif weights == NONE:
        torch.manual_seed(seed)
        network, origin = _create(name), f"random weights, seed {seed}"
    else:
        network = _create(name)
        origin = _load_file(network, name, Path(weights), sha256)
    network = network.eval().requires_grad_(False)
    data: dict[str, Any] = resolve_model_data_config(network)  # type: ignore[no-untyped-call]
    fixed = bool(getattr(network, "pretrained_cfg", {}).get("fixed_input_size"))
    size = int(data["input_size"][-1]) if fixed else None
    mean, std = (torch.tensor(data[key]).view(3, 1, 1) for key in ("mean", "std"))
    n_features = _count_features(network, size or 224)
    return Backbone(network, mean, std, size, n_features, f"{name}, {origin}")


def encode_images(
    backbone: Backbone, images: Iterable[NDArray[np.uint8]], *, batch_size: int
) -> Iterator[NDArray[np.float32]]:
    """Features of images (h, w, 3) RGB uint8, batch by batch: (n, n_features) float32.

    Images are resized only for a network that accepts a single size.
    """
    device = best_device()
    network = backbone.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for batch in read_ahead(batches(images, batch_size)):
        pixels = as_input(backbone, np.stack(batch), device)
        with torch.inference_mode():
            features = network(pixels)
        yield features.float().cpu().numpy()


def as_input(backbone: Backbone, images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Input of the network from images (n, h, w, 3) RGB uint8: (n, 3, h, w), channels last.

    Normalised by the backbone's mean and std; resized only if it accepts a single size.
    """
    pixels = pixels_to_tensor(images, device)
    if backbone.size is not None and pixels.shape[-1] != backbone.size:
        sides = (backbone.size, backbone.size)
        pixels = nn.functional.interpolate(pixels, sides, mode="bilinear", antialias=True)
    pixels = (pixels - backbone.mean.to(device)) / backbone.std.to(device)
    pixels = pixels.to(getattr(torch, backbone.precision))
    return pixels.contiguous(memory_format=torch.channels_last)


def _create(name: str, *, pretrained: bool = False) -> nn.Module:
    """A network without its classifier, from timm and, where that needs it, the hub."""
    if not pretrained and not name.startswith(PREFIXES):
        return _create_model(name, pretrained=False)
    if fault := endpoint_fault(hub.ENDPOINT):
        raise WeightsError(f"backbone {name}: {fault}")
    try:
        with _cache_only_if_hub_unreachable():
            return _create_model(name, pretrained)
    except OSError as error:  # what the hub raises where it or the file is not available
        missing = "weights" if pretrained else "description"
        raise WeightsError(
            f"backbone {name}: no {missing} at {_address(name)} or in the cache "
            f"({type(error).__name__}); download weights elsewhere and set `weights: <file>` and "
            "its `sha256` under backbones in config.yaml, or `weights: none` for random weights; "
            "a network named hf-hub:... needs the hub for either"
        ) from error


def _create_model(name: str, pretrained: bool) -> nn.Module:
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0)
    except (RuntimeError, ValueError) as error:  # timm has no such model or no weights of it
        # timm advises to load Python objects where the hub's file holds some
        reason = f"the hub's file: {NOT_WEIGHTS}" if "weights_only" in str(error) else error
        close = ", ".join(timm.list_models(f"*{name.split('.')[0][:6]}*")[:8])
        raise WeightsError(
            f"backbone {name}: {reason}; timm has {close or 'none like it'}"
        ) from error
    return network


def _address(name: str) -> str:
    """Where a network's weights are downloaded from: the hub, or the URL of those not on it."""
    weights = timm.get_pretrained_cfg(name)
    return str(weights.url) if weights and weights.url and not weights.hf_hub_id else hub.ENDPOINT


@contextmanager
def _cache_only_if_hub_unreachable() -> Iterator[None]:
    """Inside, an unreachable hub puts its client offline, so that only the cache is used."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = before or not hub_is_reachable(hub.ENDPOINT)
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _load_file(network: nn.Module, name: str, file: Path, sha256: str | None) -> str:
    """Load weights into a network without a classifier; a description of their source."""
    if not file.is_file():
        raise WeightsError(
            f"backbone {name}: no weights at {file.absolute()}; `weights` under backbones in "
            "config.yaml takes hub, none, or a .safetensors or .pth file"
        )
    found = file_sha256(file)
    if sha256 is not None and found != sha256:
        raise WeightsError(f"backbone {name}: {file} has sha256 {found}, config.yaml says {sha256}")
    expected = network.state_dict()
    state = _with_names_of_timm(_read(name, file), expected)
    classifier = {key for key in state if key.split(".")[0] in _CLASSIFIERS}
    lacking = {key for key in expected.keys() - state.keys() if not key.endswith(_UNUSED)}
    unknown = state.keys() - expected.keys() - classifier
    common = expected.keys() & state.keys()
    misshapen = {key for key in common if expected[key].shape != state[key].shape}
    faults = {"lacking": lacking, "unknown": unknown, "of another shape": misshapen}
    if any(faults.values()):
        found_wrong = "; ".join(f"{w} {', '.join(sorted(k)[:3])}" for w, k in faults.items() if k)
        raise WeightsError(f"backbone {name}: {file} is not of this network: {found_wrong}")
    _require_finite(name, str(file), {key: state[key] for key in common})
    network.load_state_dict({key: state.get(key, tensor) for key, tensor in expected.items()})
    return f"weights from {file.name}, sha256 {found}"


def _read(name: str, file: Path) -> dict[str, Tensor]:
    """The tensors of a file by name: those at its top, or of the first entry that has them."""
    try:
        content = load_file(file) if file.suffix == ".safetensors" else read_saved(file)
    except (OSError, ValueError, RuntimeError, SafetensorError, WeightsError) as error:
        raise WeightsError(
            f"backbone {name}: {file} cannot be read as weights ({error}); download it anew, or "
            "save `network.state_dict()`"
        ) from error
    if isinstance(content, dict):
        content = next((content[key] for key in _ENTRIES if content.get(key) is not None), content)
    if not _is_state(content):
        raise WeightsError(
            f"backbone {name}: {file} holds no tensors by name (a state dict), at its top or as "
            "`state_dict` or `model`; save `network.state_dict()` instead"
        )
    return dict(clean_state_dict(content))


def _is_state(content: object) -> TypeGuard[dict[str, Tensor]]:
    """Check whether this is a dict of named tensors with at least one."""
    if not isinstance(content, dict) or not content:
        return False
    return all(isinstance(key, str) and isinstance(each, Tensor) for key, each in content.items())


def _with_names_of_timm(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of torchvision's VGG under timm's names and shapes; those of others as they are.

    The other networks of torchvision that timm has share their names.
    """
    if "pre_logits.fc1.weight" not in expected:
        return dict(state)
    renamed = {}
    for key, tensor in state.items():
        layer, _, kind = key.rpartition(".")
        to, shape = _VGG_LAYERS.get(layer, (layer, ()))
        is_flat = bool(shape) and kind == "weight" and tensor.ndim == 2
        renamed[f"{to}.{kind}"] = tensor.reshape(-1, *shape) if is_flat else tensor
    return renamed


def _require_finite(name: str, file: str, state: Mapping[str, Tensor]) -> None:
    """Raise WeightsError where a tensor holds NaN or an infinite number."""
    broken = sorted(key for key, tensor in state.items() if not _is_finite(tensor))
    if broken:
        raise WeightsError(
            f"backbone {name}: {file} holds NaN or infinite weights in {', '.join(broken[:3])} "
            f"({len(broken)} of {len(state)} tensors); download it anew, or train it again"
        )


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _count_features(network: nn.Module, side: int) -> int:
    with torch.inference_mode():
        return int(network(torch.zeros(1, 3, side, side)).shape[1])
