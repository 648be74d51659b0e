"""What commands print: text as it is, tables, JSON, and the path of a saved figure."""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lymphokit.errors import LymphokitError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OUT = Console(width=None if sys.stdout.isatty() else 120)  # in a pipe, wide enough for tables
ERR = Console(stderr=True)


def show(text: str, console: Console = OUT) -> None:
    """Print text as it is: a path in brackets is no markup."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def show_json(content: Any) -> None:
    """Print plain data as JSON, NaN as null."""
    show(json.dumps(_without_nan(content), indent=2, allow_nan=False))


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure and return its path.

    Raises LymphokitError where it cannot be written.
    """
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:  # a missing folder; a suffix that is not an image's
        raise LymphokitError(f"cannot write the figure {path}: {error}; give --figure") from error
    return path


def _without_nan(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    if hasattr(content, "item"):  # a number of NumPy
        content = content.item()
    return None if isinstance(content, float) and not math.isfinite(content) else content
