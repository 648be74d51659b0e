"""The registry of models: `register` adds one, `create` makes one from its block of config.yaml.

A new model is a module in this package (settings, estimator, one `@register` line) and a block in
config.yaml. A model outside the package is named by its file: `kind: path/to/file.py:kind`.

The configuration imports every model's module to read its settings. Modules in this package
therefore import heavy libraries (torch, scikit-learn, xgboost) inside functions, not at the top.
"""

import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

import lymphokit.models
from lymphokit.bags.contract import AnyModel, ModelSettings
from lymphokit.errors import ConfigError

ModelT = TypeVar("ModelT", bound=type[AnyModel])


@dataclass(frozen=True)
class Kind:
    """A registered model: its settings and its class, and what its jobs need.

    reads_clinical: whether a prediction depends on age or count.
    counts_cells: the setting, and the value of it, with which a prediction depends on the number
    of a bag's cells; None where repeating the cells of a bag never changes a prediction.
    threads and gpu: what a job that fits the model asks for.
    """

    name: str
    settings: type[ModelSettings]
    model: type[AnyModel]
    reads_clinical: bool
    counts_cells: tuple[str, str] | None
    threads: int
    gpu: bool

    @property
    def uses_images(self) -> bool:
        """Whether the model reads cells, and not clinical attributes alone."""
        return "features" in self.settings.model_fields

    @property
    def file(self) -> Path:
        """The file that defines the model."""
        return Path(str(sys.modules[self.model.__module__].__file__))

    def uses_bag_size(self, settings: Mapping[str, Any]) -> bool:
        """Whether predictions with these settings depend on the number of a bag's cells."""
        if self.counts_cells is None:
            return False
        setting, value = self.counts_cells
        return bool(settings[setting] == value)


_KINDS: dict[str, Kind] = {}


def register(
    settings: type[ModelSettings],
    *,
    reads_clinical: bool = False,
    counts_cells: tuple[str, str] | None = None,
    threads: int = 1,
    gpu: bool = False,
) -> Callable[[ModelT], ModelT]:
    """A class decorator that registers a model under the kind that its settings name.

    Raises ConfigError where another class has that kind already.
    """
    (name,) = get_args(settings.model_fields["kind"].annotation)

    def decorate(model: ModelT) -> ModelT:
        before = _KINDS.get(name)
        if before is not None and before.model.__qualname__ != model.__qualname__:
            raise ConfigError(f"kind {name} is registered twice: {before.model}, {model}")
        _KINDS[name] = Kind(name, settings, model, reads_clinical, counts_cells, threads, gpu)
        return model

    return decorate


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind that ships with the package, by name."""
    for module in pkgutil.iter_modules(lymphokit.models.__path__):
        import_module(f"lymphokit.models.{module.name}")
    return dict(sorted(_KINDS.items()))  # the same order whichever module was imported first


def kind_of(name: str) -> Kind:
    """The kind of this name, or of `file.py:name`.

    Raises ConfigError, with the nearest name, where there is none.
    """
    file, _, short = name.rpartition(":")
    known = _load(file) if file else kinds()
    if short in known:
        return known[short]
    nearest = get_close_matches(short, known, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise ConfigError(f"{name} is unknown{hint} Known are {', '.join(known)}")


@cache
def _load(file: str) -> Mapping[str, Kind]:
    """The kinds that a file outside the package registers."""
    path = Path(file).resolve()
    spec = spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: no such Python file; `kind` is a name or `file.py:name`")
    before = set(kinds())
    # Registered under its name: pydantic looks up the annotations of its settings there.
    module = sys.modules[spec.name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a file outside the package raises
        del sys.modules[spec.name]
        raise ConfigError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    return {name: kind for name, kind in _KINDS.items() if name not in before}


def settings_of(block: Mapping[str, Any]) -> ModelSettings:
    """The settings object of a model's block in config.yaml.

    Raises ConfigError for an unknown kind, ValidationError for any other fault.
    """
    kind = kind_of(str(block["kind"]))
    return kind.settings.model_validate({**block, "kind": kind.name})


def create(block: Mapping[str, Any], *, seed: int) -> AnyModel:
    """An unfitted model from its block in config.yaml.

    Raises ConfigError for an unknown kind and for settings that the kind does not accept.
    """
    try:
        settings = settings_of(block)
    except ValidationError as error:
        raise ConfigError(f"model of kind {block['kind']}: {error}") from error
    return kind_of(str(block["kind"])).model(settings, seed=seed)
