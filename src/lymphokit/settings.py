"""The base of every block of settings, and the types that settings are made of.

Every number has a lowest and a highest value. The highest lies far above any use; it refuses a
typing error that would only show after hours, or as a machine without memory.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _not_a_truth_value(value: Any) -> Any:
    # pydantic takes True for 1.0. Its strict mode would not, nor `1e-6`, which YAML reads as text.
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


def _digits_as_number(value: Any) -> Any:
    # Snakemake leaves numbers inside a block on its command line as text: `a={'b': 2}` gives '2'.
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _each_once(values: Sequence[Any]) -> Sequence[Any]:
    if twice := {str(value) for value in values if values.count(value) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} stands there more than once")
    return values


def _ascending(values: tuple[Any, Any]) -> tuple[Any, Any]:
    low, high = values
    if low > high:
        raise ValueError(f"the lowest value {low:g} is above the highest, {high:g}")
    return values


_Number = BeforeValidator(_not_a_truth_value)
_Int = Annotated[int, Field(strict=True)]
Digits = BeforeValidator(_digits_as_number)

Share = Annotated[float, Field(ge=0, le=1), _Number]
OpenShare = Annotated[float, Field(gt=0, lt=1), _Number]
ShareAboveZero = Annotated[float, Field(gt=0, le=1), _Number]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1), _Number]
Positive = Annotated[float, Field(ge=1e-9, le=1e9), _Number]  # so that 1 / x is finite too
Precision = Literal["auto", "float32", "bfloat16"]  # of networks: `resolve_precision`
LearningRate = Annotated[float, Field(ge=1e-12, le=10), _Number]
BoostingRate = Annotated[float, Field(ge=1e-12, le=1), _Number]  # a step between two trees
AgeYears = Annotated[float, Field(ge=1, le=200), _Number]
GigaPerLitre = Annotated[float, Field(ge=1e-3, le=100_000), _Number]
NonNegativeFloat = Annotated[float, Field(ge=0, le=1e9), _Number]
Seed = Annotated[_Int, Field(ge=0, le=2**32 - 1), Digits]  # what NumPy and scikit-learn accept
Count = Annotated[_Int, Field(ge=1, le=100_000), Digits]
NonNegative = Annotated[_Int, Field(ge=0, le=100_000), Digits]
Several = Annotated[_Int, Field(ge=2, le=100_000), Digits]
Repetitions = Annotated[_Int, Field(ge=1, le=1000), Digits]  # of whole fits or jobs
Parts = Annotated[_Int, Field(ge=2, le=1000), Digits]  # of patients
Pixels = Annotated[_Int, Field(ge=16, le=4096), Digits]  # a side; the networks halve it four times
ShownPixels = Annotated[_Int, Field(ge=16, le=1024), Digits]  # a side, as a network sees an image
Stage = Annotated[_Int, Field(ge=-100, le=99)]  # of a network, as an index of Python
Width = Annotated[_Int, Field(ge=1, le=100_000), Digits]  # features, components, units of a layer
# An 8 x 8 grid of channels.
Latent = Annotated[_Int, Field(ge=64, le=65_536, multiple_of=64), Digits]
Layers = Annotated[list[Annotated[_Int, Field(ge=1, le=16_384), Digits]], Field(max_length=16)]

Stratum = Literal["label", "gender", "age", "count"]  # what strata of folds are made of
Region = Literal["cell", "nucleus"]  # what segmentation cuts out of an image
Normalise = Literal["none", "red_cells", "cell_only", "grey"]  # of images, by their smear's colours

EachOnce = AfterValidator(_each_once)
Ascending = AfterValidator(_ascending)


class Settings(BaseModel):
    """A block of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def needs_masks(backbone: Mapping[str, Any]) -> bool:
    """Whether features of a backbone need masks of whole cells and the colours of smears."""
    return backbone["normalise"] != "none" or "cell" in backbone["pool"]


def is_plain(backbone: Mapping[str, Any]) -> bool:
    """Whether a backbone sees images as they are, up to its classifier: it can be trained whole."""
    return backbone["normalise"] == "none" and backbone["stages"] is None
