"""What the doctor finds on this machine and on others."""

import importlib.metadata
import sys
from pathlib import Path

import psutil
import pytest
import torch
from rich.console import Console

from lymphokit.desk.doctor import Line, doctor_table, examine

ROOT = Path(__file__).parents[2]


def lines(root: Path) -> dict[str, Line]:
    return {line.name: line for line in examine(root)}


def versions(monkeypatch: pytest.MonkeyPatch, **other: str) -> None:
    installed = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: other.get(name) or installed(name)
    )


def test_every_line_that_does_not_pass_has_a_remedy(tmp_path: Path) -> None:
    assert {
        line.name for line in examine(tmp_path) if line.verdict != "pass" and not line.remedy
    } == (set())


@pytest.mark.parametrize(
    ("torch_version", "vision", "verdict"),
    [("2.13.0", "0.28.0", "pass"), ("2.13.0+cpu", "0.28.1", "pass"), ("2.13.0", "0.27.0", "fail")],
)
def test_torchvision_belongs_to_its_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torch_version: str, vision: str, verdict: str
) -> None:
    versions(monkeypatch, torch=torch_version, torchvision=vision)
    assert lines(tmp_path)["torchvision"].verdict == verdict


def test_the_pins_of_torch_and_torchvision_belong_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    versions(monkeypatch, torch=pins["torch"], torchvision=pins["torchvision"])
    assert lines(tmp_path)["torchvision"].verdict == "pass"


def test_a_missing_package_and_an_old_python_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", none)
    monkeypatch.setattr(sys, "version_info", (3, 10))
    found = lines(tmp_path)
    assert {found[name].verdict for name in ("python", "torch", "timm", "torchvision")} == {"fail"}


def test_too_little_memory_or_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = psutil.virtual_memory()._replace(available=10**9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: usage)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**8}))
    found = lines(tmp_path)
    assert (found["memory"].verdict, found["disk"].verdict) == ("fail", "fail")
    assert found["memory"].found.startswith("1.0 GB")


@pytest.mark.parametrize("bf16", [True, False])
def test_a_gpu_is_named_with_its_bf16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bf16: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a [card]")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)
    found = lines(tmp_path)
    assert (found["GPU"].found, found["GPU"].verdict) == ("a [card]", "pass")
    assert found["bf16"].verdict == ("pass" if bf16 else "note")


def test_the_data_and_models_are_those_of_config_yaml(tmp_path: Path) -> None:
    assert lines(tmp_path)["data"].verdict == "note"
    (tmp_path / "config").mkdir()
    for name in ("config.yaml", "config/demo.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    found = lines(tmp_path)
    assert "simulated" in found["data"].found
    assert "clinical" in found["models"].found
    (tmp_path / "config.yaml").write_text("raw: nowhere\n")
    assert lines(tmp_path)["data"].verdict == "fail"
    (tmp_path / "config.yaml").write_text("raw: [\n")
    assert lines(tmp_path)["data"].verdict == "fail"


def test_brackets_in_what_was_found_are_no_markup() -> None:
    console = Console(width=80, record=True, quiet=False)
    with console.capture() as printed:
        console.print(doctor_table([Line("data", "fail", "[/x]", "[bold]")]))
    assert "[/x]" in printed.get()
    assert "[bold]" in printed.get()


def test_room_is_measured_against_what_the_configured_run_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    for name in ("config.yaml", "config/demo.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 3 * 10**9}))
    assert lines(tmp_path)["disk"].verdict == "pass"
    over = tmp_path / "over.yaml"
    over.write_text("simulate: {training_patients: 3000, cells: [16, 40]}\n")
    found = {line.name: line for line in examine(tmp_path, [over])}
    assert found["disk"].verdict == "fail"
    assert found["disk"].remedy


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    for name in ("config.yaml", "config/demo.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    over = tmp_path / "over.yaml"
    over.write_text("backbones: {vgg19: {weights: gone.safetensors}}\n")
    found = {line.name: line for line in examine(tmp_path, [over])}
    assert found["weights"].verdict == "note"
    assert "vgg19 missing" in found["weights"].found
    assert "cell_colour random" in found["weights"].found
