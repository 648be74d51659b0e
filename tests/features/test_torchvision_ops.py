import subprocess
import sys

import pytest
import torch

from lymphokit.features import torchvision_ops

IMPORT = """
import sys
from lymphokit.features.torchvision_ops import declare_missing_operators
assert "torchvision" not in sys.modules
print(declare_missing_operators(), declare_missing_operators())
assert "torchvision" not in sys.modules
import torchvision
print(torchvision.extension._has_ops())
"""


def test_torchvision_can_be_imported_whether_its_operators_load_or_not() -> None:
    run = subprocess.run(
        [sys.executable, "-c", IMPORT],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    first, again, has_own = run.stdout.split()
    assert first == again == str(has_own == "False")


@pytest.mark.parametrize("why", ["fits", "absent", "imported"])
def test_nothing_is_declared_where_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    declared: list[str] = []
    monkeypatch.setattr(torch.library, "define", lambda name, _: declared.append(name))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(torchvision_ops, "_extension_loads", lambda: why == "fits")
    monkeypatch.setattr(torchvision_ops, "_is_installed", lambda: why != "absent")
    if why == "imported":
        monkeypatch.setitem(sys.modules, "torchvision", torch)
    assert not torchvision_ops.declare_missing_operators.__wrapped__()
    assert declared == []


def test_both_operators_are_declared_where_they_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declared: list[str] = []
    monkeypatch.setattr(torch.library, "define", lambda name, _: declared.append(name))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(torchvision_ops, "_extension_loads", lambda: False)
    assert torchvision_ops.declare_missing_operators.__wrapped__()
    assert declared == ["torchvision::nms", "torchvision::qnms"]


def test_an_extension_built_for_another_torch_does_not_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: str) -> None:
        raise OSError("undefined symbol")

    monkeypatch.setattr(torch.ops, "load_library", refuse)
    assert not torchvision_ops._extension_loads()
