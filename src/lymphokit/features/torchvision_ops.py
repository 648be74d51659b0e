"""Makes `import torchvision` possible where its compiled operators do not fit the torch there.

The usual torchvision wheel is built for CUDA. Beside a CPU build of torch its extension cannot be
loaded. torchvision tolerates that, but then registers shape functions for two of the operators,
`nms` and `qnms`, and fails with `operator torchvision::nms does not exist`; so does timm, which
imports torchvision. Declaring the two is enough: no model used here calls them.
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
    """Declare `nms` and `qnms` if torchvision cannot load them; returns whether it was needed.

    Call it before anything imports torchvision; later calls change nothing. Where the builds fit,
    the extension is loaded as torchvision would load it, and nothing is declared.
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
    """Whether torch can load torchvision's compiled operators. Loading them twice is harmless."""
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
