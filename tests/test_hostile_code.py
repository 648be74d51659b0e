"""Nobody's code runs because a file was read: payloads planted in every place, and the loaders."""

import ast
import json
import pickle
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version
from safetensors.torch import save_file

from lymphokit.arrays import open_array, read_arrays
from lymphokit.config import read_yaml
from lymphokit.errors import LymphokitError
from lymphokit.features import backbone
from lymphokit.features.autoencoder import load_autoencoder
from lymphokit.features.bank import open_bank
from lymphokit.features.compute import read_saved
from lymphokit.imaging.pixels import open_pixels
from lymphokit.pseudo_labels.state import ADDED_COLUMNS, read_state

ROOT = Path(__file__).parents[1]
REQUIREMENTS = [
    Requirement(line)
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
]


class Payload:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def with_torch(path: Path, content: Any) -> None:
    torch.save({"state_dict": {"conv1.0.weight": content}}, path)


def with_old_torch(path: Path, content: Any) -> None:
    torch.save({"conv1.0.weight": content}, path, _use_new_zipfile_serialization=False)


def with_pickle(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content))


def with_objects(path: Path, content: Any) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([content], dtype=object), allow_pickle=True)


def with_objects_by_name(path: Path, content: Any) -> None:
    with path.open("wb") as file:
        np.savez(file, log_odds=np.array([content], dtype=object), allow_pickle=True)


def read_rounds(path: Path) -> None:
    added = path.with_name("added.csv")
    added.write_text(",".join(ADDED_COLUMNS) + "\n")
    read_state(added, path)


def read_bank(path: Path) -> None:
    path.with_suffix(".json").write_text("{}")
    open_bank(path, 1)


def read_metadata(path: Path) -> None:
    bank = path.with_suffix(".npy")
    np.save(bank, np.zeros((1, 2), np.float32))
    open_bank(bank, 1)


def read_weights(path: Path) -> None:
    backbone.load_backbone("resnet10t", weights=str(path), sha256=None, seed=0)


WRITERS = [with_pickle, with_torch, with_old_torch, with_objects, with_objects_by_name]
READERS = {
    "weights.pth": read_weights,
    "weights.pt": read_weights,
    "pytorch_model.bin": read_weights,
    "weights.safetensors": read_weights,
    "autoencoder.checkpoint": read_saved,
    "autoencoder.safetensors": load_autoencoder,
    "bank.npy": read_bank,
    "bank.json": read_metadata,
    "segmented_128.npy": open_pixels,
    "stain_moments.npy": open_array,
    "scores.npz": read_rounds,
    "arrays.npz": read_arrays,
    "config.yaml": read_yaml,
}


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("name", READERS)
def test_a_planted_pickle_is_refused_and_does_not_run(
    tmp_path: Path, name: str, write: Callable[[Path, Any], None]
) -> None:
    marker = tmp_path / "it ran"
    write(tmp_path / name, Payload(marker))
    with pytest.raises(LymphokitError) as refusal:
        READERS[name](tmp_path / name)
    assert not marker.exists()
    assert name in str(refusal.value)
    assert not {"weights_only", "allow_pickle"} & set(str(refusal.value).replace("=", " ").split())


def test_the_payload_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "it ran")))
    assert (tmp_path / "it ran").exists()


def test_a_model_planted_where_models_were_kept_is_not_read(tmp_path: Path) -> None:
    rules = [*ROOT.glob("workflow/**/*.smk"), *ROOT.glob("workflow/scripts/*.py")]
    assert not [path for path in rules if "joblib" in path.read_text()]


@pytest.mark.parametrize("tag", ["python/object/apply:os.system", "python/name:os.system", "tag:x"])
def test_a_tag_in_yaml_makes_no_object(tmp_path: Path, tag: str) -> None:
    (tmp_path / "more.yaml").write_text(f"raw: !!{tag} ['touch {tmp_path / 'marker'}']\n")
    with pytest.raises(LymphokitError):
        read_yaml(tmp_path / "more.yaml")
    assert not (tmp_path / "marker").exists()


def test_a_pickle_inside_a_safetensors_or_zip_is_no_weights(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "w.safetensors", {"autoencoder": "not JSON"})
    with pytest.raises(LymphokitError):
        load_autoencoder(tmp_path / "w.safetensors")
    with zipfile.ZipFile(tmp_path / "arrays.npz", "w") as file:
        file.writestr("x.npy", pickle.dumps(Payload(tmp_path / "it ran")))
    with pytest.raises(LymphokitError):
        read_arrays(tmp_path / "arrays.npz")
    assert not (tmp_path / "it ran").exists()


# Loaders that run code, or may; and what makes those safe that can be.
FORBIDDEN = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle", "skops"}
NEVER = {"eval", "exec", "__import__", "read_pickle", "unsafe_load", "full_load", "unsafe_load_all"}
SAFE_WITH = {"np.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}
# A model outside the package is code that the user names in config.yaml.
ALLOWED = {("src/lymphokit/models/registry.py", "exec_module")}


def loaders(tree: ast.AST) -> Iterator[str]:
    """The loaders in a module that could run code of the file that they read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [module or "", *(alias.name for alias in node.names)]
            yield from {name for name in names if name.split(".")[0] in FORBIDDEN}
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            last = name.rpartition(".")[2]
            given = {each.arg: ast.unparse(each.value) for each in node.keywords}
            key, value = SAFE_WITH.get(name, ("", None))
            is_bare = last in NEVER and (last != "eval" or name == "eval" or bool(node.args))
            is_unsafe = bool(key) and given.get(key) != str(value)
            is_yaml = name == "yaml.load" and "_NoDuplicateKeys" not in ast.unparse(node)
            if is_bare or is_unsafe or is_yaml or given.get("shell") == "True":
                yield name
            if last == "exec_module":
                yield last


@pytest.mark.parametrize("folder", ["src", "workflow/scripts", "benchmarks"])
def test_nothing_in_the_tree_loads_code_from_data(folder: str) -> None:
    found = {
        (str(path.relative_to(ROOT)), loader)
        for path in (ROOT / folder).rglob("*.py")
        for loader in loaders(ast.parse(path.read_text()))
        if (folder, loader) != ("benchmarks", "joblib")  # of its processes
    }
    assert found <= ALLOWED


def test_the_search_finds_loaders() -> None:
    code = """
import pickle, joblib
from shelve import open
np.load(x); np.load(x, allow_pickle=True); np.load(x, allow_pickle=False)
torch.load(x); torch.load(x, weights_only=False); torch.load(x, weights_only=True)
eval(x); model.eval(); yaml.load(x, yaml.Loader); yaml.load(x, _NoDuplicateKeys); pd.read_pickle(x)
run(x, shell=True)
"""
    named = ["eval", "joblib", "pd.read_pickle", "pickle", "run", "shelve", "yaml.load"]
    assert sorted(loaders(ast.parse(code))) == sorted([*named, *["np.load", "torch.load"] * 2])


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda each: each.name)
def test_each_dependency_has_a_lower_bound_that_the_tests_run_with(
    requirement: Requirement,
) -> None:
    bounds = [each for each in requirement.specifier if each.operator == ">="]
    assert bounds, f"{requirement.name} has no lower bound"
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]
    )
    assert requirement.specifier.contains(pinned[requirement.name])
    assert requirement.specifier.contains(Version(version(requirement.name)).base_version)


@pytest.mark.parametrize(
    ("name", "unsafe"),
    # timm 1.0.30 unpickles by default; torch 2.5 runs code despite weights_only=True.
    [("timm", "1.0.30"), ("torch", "2.5.1"), ("PyYAML", "5.3"), ("numpy", "1.16.2")],
)
def test_versions_that_run_code_from_data_are_excluded(name: str, unsafe: str) -> None:
    (requirement,) = (each for each in REQUIREMENTS if each.name == name)
    assert not requirement.specifier.contains(unsafe)


def test_weights_of_the_hub_are_read_without_unpickling(tmp_path: Path) -> None:
    """`load_pretrained` of timm reads the hub's cache; our error must not give its advice."""
    marker, file = tmp_path / "it ran", tmp_path / "pytorch_model.bin"
    with_torch(file, Payload(marker))
    with pytest.raises(RuntimeError):
        backbone.timm.models.load_state_dict(str(file))
    assert not marker.exists()
    code = f"""
from lymphokit.features import backbone
create = backbone.timm.create_model
backbone.timm.create_model = lambda *a, **k: create(
    a[0], pretrained=True, num_classes=0, pretrained_cfg_overlay={{"file": {str(file)!r}}}
)
try:
    backbone._create_model("resnet10t", True)
except backbone.WeightsError as error:
    print(error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "resnet10t" in printed.stdout, printed.stderr
    assert "weights_only" not in printed.stdout
    assert not marker.exists()


def test_metadata_that_is_no_json_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "bank.npy", np.zeros((1, 2), np.float32))
    (tmp_path / "bank.json").write_text(json.dumps({"a": 1})[:-1])
    with pytest.raises(LymphokitError, match=r"bank\.json"):
        open_bank(tmp_path / "bank.npy", 1)
