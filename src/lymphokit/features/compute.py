"""What running a network needs: device, threads, seeds, precision, tensors of pixels, weights."""

import copy
import hashlib
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from lymphokit.errors import WeightsError

ItemT = TypeVar("ItemT")
_ROUNDS = 5  # of the probe, each a convolution in either precision; the fastest of each counts
_WORTH = 0.8  # of the time in float32: bfloat16 takes half where it is native, else many times it
_END: Final = object()
NOT_WEIGHTS = (
    "it is damaged, or holds Python objects besides tensors, which are never loaded because they "
    "can run code"
)


def best_device() -> torch.device:
    """The GPU if torch can use one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def repeatable(threads: int | None = None) -> Iterator[None]:
    """Inside, torch uses deterministic algorithms and `threads` CPU threads; None: as many as now.

    The number of threads matters because it decides the order of sums.
    """
    before = torch.get_num_threads()
    before_cudnn = torch.backends.cudnn.deterministic
    torch.set_num_threads(before if threads is None else threads)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.deterministic = before_cudnn


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's random numbers follow from the seed; afterwards its state is as before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def resolve_precision(setting: str) -> str:
    """The precision that a setting names; auto: bfloat16 where this machine computes in it.

    Whether it does is measured, once a process, in about 30 ms: processors without units for
    bfloat16, or with settings that do without them, emulate it and take many times as long.
    """
    if setting != "auto":
        return setting
    return "bfloat16" if _bfloat16_is_fast(best_device().type) else "float32"


@cache
def _bfloat16_is_fast(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    convolution = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    maps = torch.ones(4, 64, 28, 28).to(memory_format=torch.channels_last)
    half, half_maps = copy.deepcopy(convolution).bfloat16(), maps.bfloat16()
    in_float32, in_bfloat16 = [], []
    with repeatable(threads=1), torch.inference_mode():
        for _ in range(_ROUNDS):
            in_float32.append(_cpu_seconds(convolution, maps))
            in_bfloat16.append(_cpu_seconds(half, half_maps))
    return min(in_bfloat16) < _WORTH * min(in_float32)


def _cpu_seconds(network: Callable[[Tensor], Tensor], maps: Tensor) -> float:
    """CPU time of this thread, which other work on the machine hardly changes."""
    began = time.thread_time()
    network(maps)
    return time.thread_time() - began


def autocast(precision: str, device: torch.device) -> AbstractContextManager[None]:
    """Inside, convolutions and matrix products compute in `precision`: float32 or bfloat16."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """The items in lists of `size`, the last one perhaps shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def read_ahead(items: Iterable[ItemT]) -> Iterator[ItemT]:
    """The items in their order, the next one made in a thread while the last one is used.

    An exception of the items is raised where the item would have come.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, iterator, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, iterator, _END)
            yield item  # type: ignore[misc]


def pixels_to_tensor(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Images (n, h, w, 3) uint8 as (n, 3, h, w) float32 in [0, 1], channels last in memory."""
    copy = torch.from_numpy(np.array(images))  # torch must not write to a read-only memory map
    return copy.to(device).permute(0, 3, 1, 2).float().div_(255)


def read_saved(file: Path, content: BytesIO | None = None) -> Any:
    """What `torch.save` wrote: tensors, numbers and texts, in lists and dicts.

    content: what the file holds, where it was read already.
    Raises WeightsError where the file is damaged or holds any other object: its pickle could run
    code. The reason that torch gives is left out, for it advises to load such objects.
    """
    try:
        # Checkpoints of timm's training hold its options as a Namespace, which is plain data.
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(content or file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes end in exceptions of many kinds
        raise WeightsError(f"{file} cannot be read as weights: {NOT_WEIGHTS}") from error


def weights_digest(network: nn.Module) -> str:
    """SHA-256 of all weights by name, in hexadecimal: of the same source, none else has it."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        values = tensor.detach().cpu().reshape(-1).view(torch.uint8)
        digest.update(values.numpy())
    return digest.hexdigest()


def save_weights(network: nn.Module, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write the weights as a .safetensors file; `path` appears when the file is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    part = path.with_name(f"{path.name}.part")
    save_file(weights, part, metadata=None if metadata is None else dict(metadata))
    part.replace(path)
