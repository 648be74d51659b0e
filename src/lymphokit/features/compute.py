"""Where networks run, and on how much of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def best_device() -> torch.device:
    """The GPU where torch can use one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Inside, torch keeps to so many CPU threads and to algorithms that always give the same."""
    before = torch.get_num_threads()
    before_cudnn = torch.backends.cudnn.deterministic
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.backends.cudnn.deterministic = before_cudnn
