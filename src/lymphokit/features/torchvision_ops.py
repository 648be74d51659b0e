"""Makes `import torchvision` possible where its compiled operators do not fit the torch there.

The usual torchvision wheel is built for CUDA. Beside a CPU build of torch its extension cannot be
loaded, which torchvision itself takes in its stride; but it then describes the results of two of
those operators, `nms` and `qnms`, and dies with `operator torchvision::nms does not exist`. timm
imports torchvision for other things and dies with it. Declaring the two is enough: none of the
models used here calls them.
"""

import importlib.util
import sys
from functools import cache
from pathlib import Path

import torch

_OPERATORS = ("nms", "qnms")
_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def declare_missing_operators() -> bool:
    """Declare `nms` and `qnms` if torchvision cannot load its own; whether that was needed.

    To be called before anything imports torchvision; later calls change nothing. On a machine
    whose builds fit, the extension is loaded as torchvision would load it, and nothing declared.
    """
    if "torchvision" in sys.modules or not _is_installed() or _extension_loads():
        return False
    declare_operators()
    return True


def declare_operators() -> None:
    """Declare the two operators to torch: a name and a signature, nothing to call."""
    for operator in _OPERATORS:
        torch.library.define(f"torchvision::{operator}", _SIGNATURE)


def _is_installed() -> bool:
    return importlib.util.find_spec("torchvision") is not None


def _extension_loads() -> bool:
    """Whether torch accepts torchvision's compiled operators. Loading them twice is harmless."""
    spec = importlib.util.find_spec("torchvision")
    folders = (spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in Path(folder).glob("_C*") if _is_library(file)]
    for file in files:
        try:
            torch.ops.load_library(str(file))  # type: ignore[no-untyped-call]
        except (OSError, ImportError):  # as torchvision catches them: built for another torch
            return False
    return bool(files)


def _is_library(file: Path) -> bool:
    return file.suffix in {".so", ".pyd", ".dylib"}
