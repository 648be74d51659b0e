"""The schema of config.yaml: every key, its type and its range. The defaults are in config.yaml.

No field here has a default, so that each default is written once, where people change it.
"""

import datetime as dt
import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, Union, get_args

import yaml
from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    ValidationError,
    create_model,
    model_validator,
)

from lymphokit.bags.contract import ModelSettings
from lymphokit.errors import ConfigError
from lymphokit.features.hub_names import name_fault
from lymphokit.files import read_regular
from lymphokit.models import registry
from lymphokit.models.misvm_backend import require_misvm
from lymphokit.settings import (
    AgeYears,
    Ascending,
    Count,
    Digits,
    EachOnce,
    GigaPerLitre,
    Latent,
    LearningRate,
    NonNegative,
    NonNegativeFloat,
    Normalise,
    OpenShare,
    Parts,
    Pixels,
    Positive,
    Precision,
    Region,
    Repetitions,
    Seed,
    Settings,
    Several,
    Share,
    ShareBelowOne,
    ShownPixels,
    Stage,
    Stratum,
    is_plain,
)

MOST_FOLDS = 1000
MOST_ROUNDS = 1000
ModelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]  # a column name, and in paths
DataSetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+(/\d+)?$")]  # Kaggle's
BackboneName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]  # in paths


class ValueRanges(Settings):
    """Lowest and highest value of a column of the clinical table, both included."""

    age_years: Annotated[tuple[NonNegative, NonNegative], Ascending]
    lymph_count: Annotated[tuple[NonNegative, NonNegative], Ascending]


class CohortSettings(Settings):
    """How the raw tables and images are read."""

    reference_date: Annotated[dt.date, Field(ge=dt.date(1900, 1, 1), le=dt.date(2200, 1, 1))]
    image_size: Pixels
    on_error: Literal["stop", "skip"]
    ranges: ValueRanges
    allow: tuple[Literal["LYMPH_COUNT", "DOB", "sample_submission.csv"], ...]


class SimulateSettings(Settings):
    """The simulated cohort."""

    seed: Seed
    training_patients: Annotated[int, Field(strict=True, ge=10, le=10_000), Digits]
    test_patients: Annotated[int, Field(strict=True, ge=1, le=10_000), Digits]
    tumoral_share: OpenShare
    cells: Annotated[tuple[Repetitions, Repetitions], Ascending]
    abnormal_share: Annotated[tuple[Share, Share], Ascending]
    signal: Share
    stain_signal: Share
    labelled_cells: Several
    cells_per_blood_type: NonNegative

    @model_validator(mode="after")
    def _check(self) -> Self:
        tumoral = round(self.tumoral_share * self.training_patients)
        if not 0 < tumoral < self.training_patients:
            raise ValueError(
                f"tumoral_share makes {tumoral} of {self.training_patients} training_patients "
                "tumoral: both labels are needed"
            )
        return self


def _strata(names: tuple[Stratum, ...]) -> tuple[Stratum, ...]:
    if "label" not in names:
        raise ValueError("label must be among them: every part needs patients of both labels")
    if len(set(names)) < len(names):
        raise ValueError(f"{', '.join(names)}: name each once")
    return names


class FoldSettings(Settings):
    """How patients are divided into training, validation and inner folds."""

    scheme: Literal["kfold", "split"]
    k: Parts
    repeats: Repetitions
    validation: OpenShare
    inner: Parts
    stratify: Annotated[tuple[Stratum, ...], AfterValidator(_strata)]
    age_edge_years: AgeYears | Literal["median"]
    count_edge_giga_per_litre: GigaPerLitre | Literal["median"]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (folds := self.k * self.repeats) > MOST_FOLDS:
            raise ValueError(f"k times repeats is {folds}: at most {MOST_FOLDS} folds can be run")
        return self


class SegmentationSettings(Settings):
    """What is cut out: the whole cell, or the nucleus as in report 3.3, with its morphology."""

    region: Region
    closing_px: Annotated[int, Field(strict=True, ge=1, le=4096), Digits]
    dilation_px: Annotated[int, Field(strict=True, ge=0, le=4096), Digits]


class CellMaskSettings(Settings):
    """The mask of the whole cell, by the colours of its smear; levels of 255."""

    reach_px: Annotated[int, Field(strict=True, ge=0, le=4096), Digits]
    bluer: Annotated[int, Field(strict=True, ge=-255, le=255), Digits]
    lighter: Annotated[int, Field(strict=True, ge=-255, le=255), Digits]


class AutoencoderSettings(Settings):
    """The autoencoder of report 3.4.1; `variants` maps its input images to its latent size."""

    epochs: Count
    batch_size: Count
    learning_rate: LearningRate
    flips: Share
    precision: Precision
    variants: Annotated[dict[Literal["raw", "segmented"], Latent], Field(min_length=1)]


def _timm_name(name: str) -> str:
    if fault := name_fault(name):
        raise ValueError(f"{name!r} {fault}")
    return name


class BackboneSettings(Settings):
    """A timm model as a source of features."""

    timm: Annotated[str, AfterValidator(_timm_name)]
    weights: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    image: Literal["raw", "segmented"]
    normalise: Normalise
    crop: Pixels | None
    px: ShownPixels | None
    stages: Annotated[list[Stage], Field(min_length=1), EachOnce] | None
    pool: Annotated[list[Literal["image", "centre", "cell"]], Field(min_length=1), EachOnce]
    batch_size: Count | Literal["auto"]
    precision: Precision = "auto"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stages is None and self.pool != ["image"]:
            raise ValueError("without stages the network averages itself: set pool to [image]")
        if self.image == "segmented" and self.normalise != "none":
            raise ValueError("normalise needs what is around the cell: set image to raw")
        return self


class BloodCellSettings(Settings):
    """The network of report 3.4.2, trained by Adam to classify types of blood cells."""

    folder: str
    network: str
    px: ShownPixels
    validation: OpenShare
    epochs: Count
    batch_size: Count
    learning_rate: LearningRate
    flips: Share
    precision: Precision


class RoundSettings(Settings):
    """Consecutive rounds that add the same number of cells of each label."""

    count: Repetitions
    add: Count


class TrainingSettings(Settings):
    """Training of a whole network by SGD."""

    epochs: Count
    batch_size: Count
    learning_rate: LearningRate
    momentum: ShareBelowOne
    weight_decay: NonNegativeFloat
    flips: Share
    precision: Precision


def _few_rounds(rounds: list[RoundSettings]) -> list[RoundSettings]:
    if (total := sum(block.count for block in rounds)) > MOST_ROUNDS:
        raise ValueError(f"{total} rounds in all: at most {MOST_ROUNDS} can be run")
    return rounds


class PseudoLabelSettings(Settings):
    """Self-training in rounds (report 4)."""

    network: str
    start: Literal["labelled_cells", "bags"]
    train: Literal["auto", "all", "head"]
    labelled_train: Several
    labelled_validation: Several
    labelled_px: ShownPixels
    stain: Literal["auto", "competition", "labelled_cells", "none"]
    stain_per: Literal["cohort", "image"]
    rounds: Annotated[list[RoundSettings], Field(min_length=1), AfterValidator(_few_rounds)]
    confidence: Literal["absolute", "within_patient"]
    floor: OpenShare | None
    most_per_patient: Count | None
    negatives: Literal["random", "hard"]
    ties: Literal["order", "spread"]
    ridge: Positive
    sgd: TrainingSettings
    compare: Annotated[list[str], EachOnce]


class InstanceNetworkSettings(Settings):
    """The network of the report's appendix, trained with every cell labelled as its patient."""

    network: str
    train: Literal["auto", "all", "head"]
    ridge: Positive
    px: ShownPixels
    sgd: TrainingSettings
    compare: Annotated[list[str], EachOnce]


class WantedSensitivity(Settings):
    """A threshold that reaches a sensitivity: the share of tumoral patients called tumoral."""

    sensitivity: OpenShare


def _form_of_rule(rule: Any) -> str:
    if isinstance(rule, Mapping | WantedSensitivity):
        return WantedSensitivity.__name__
    return "rule" if isinstance(rule, str) else "number"


class DecisionSettings(Settings):
    """The threshold that turns a probability into a label."""

    threshold: Annotated[
        Annotated[Literal["midpoint", "prevalence", "balanced_accuracy", "half"], Tag("rule")]
        | Annotated[OpenShare, Tag("number")]
        | Annotated[WantedSensitivity, Tag("WantedSensitivity")],
        Discriminator(_form_of_rule),
    ]


class CalibrationSettings(Settings):
    """The calibration of probabilities, and its table and figure."""

    method: Literal["platt", "temperature", "isotonic", "none"]
    bins: Parts
    sensitivities: Annotated[list[OpenShare], Field(min_length=1, max_length=100), EachOnce]


class CostSettings(Settings):
    """Costs of wrong calls, in units of one flow cytometry."""

    missed: Positive
    false_alarm: Positive


class WantedSettings(Settings):
    """Wanted shares of tumoral and of reactive patients that are not called wrongly."""

    sensitivity: OpenShare
    specificity: OpenShare


class ReferralSettings(Settings):
    """Selective prediction: which patients are referred to flow cytometry."""

    band: Literal["costs", "wanted"]
    costs: CostSettings
    wanted: WantedSettings


class ProductSettings(Settings):
    """The product of experts: models of images, and one of age and count."""

    images: Annotated[list[str], Field(min_length=1), EachOnce]
    clinical: str


class EnsembleSettings(Settings):
    """The vote, the stack, the product, and the choices of one among several models."""

    best: Repetitions
    stack_C: Positive
    product: ProductSettings
    choices: dict[ModelName, Annotated[list[str], Field(min_length=2), EachOnce] | Literal["all"]]


class UncertaintySettings(Settings):
    """The bootstrap over patients."""

    resamples: Annotated[int, Field(strict=True, ge=100, le=100_000), Digits]
    level: OpenShare


class ComparisonSettings(Settings):
    """The model that all others are compared with."""

    reference: str


class ConfounderSettings(Settings):
    """The small classifiers that predict the label from candidate confounders."""

    ridge: Positive
    neighbours: Count


class SubmissionSettings(Settings):
    """Which column of the out-of-fold table becomes the CSV."""

    blend: str


class KnownDuplicateSettings(Settings):
    """Two equal images of two patients, as `patient/image`, inspected and accepted."""

    images: Annotated[tuple[str, str], EachOnce]
    reason: Annotated[str, Field(min_length=1)]


class AuditSettings(Settings):
    """The leak audit."""

    known_duplicates: list[KnownDuplicateSettings]


class AblationSettings(Settings):
    """D-MIL without one of its parts at a time (report 5.2.3)."""

    model: str
    segmented_features: str
    executions: Repetitions
    curve_executions: Repetitions
    members: Repetitions


class PreprocessingSettings(Settings):
    """MI-SVM without its preprocessing, and with clinical data (report 5.1)."""

    mi_svm: str
    with_clinical: str
    clinical: str


class PermutationSettings(Settings):
    """Models refitted on shuffled labels, and on shuffled bags."""

    models: Annotated[list[str], Field(min_length=1), EachOnce]
    shuffles: Annotated[int, Field(strict=True, ge=99, le=100_000), Digits]
    neighbours: Several
    jobs: Annotated[int, Field(strict=True, ge=1, le=99), Digits]


class SpreadSettings(Settings):
    """Models refitted on repeatedly drawn folds."""

    models: Annotated[list[str], Field(min_length=1), EachOnce]
    repeats: Parts


class CellDrawSettings(Settings):
    """Models refitted on cells drawn at random, so many of each patient."""

    models: Annotated[list[str], Field(min_length=1), EachOnce]
    cells: Annotated[list[Count | Literal["all"]], Field(min_length=1), EachOnce]
    draws: Parts


class KaggleSettings(Settings):
    """Names on Kaggle, as in the address of their pages."""

    competition: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
    labelled_cells: DataSetName
    blood_cells: DataSetName


class Config(Settings):
    """All of config.yaml."""

    seed: Seed
    raw: str
    labelled_cells: str
    cohort: CohortSettings
    simulate: SimulateSettings
    folds: FoldSettings
    segmentation: SegmentationSettings
    cell_mask: CellMaskSettings
    autoencoder: AutoencoderSettings
    backbones: Annotated[dict[BackboneName, BackboneSettings], Field(min_length=1)]
    blood_cells: BloodCellSettings
    pseudo_label: PseudoLabelSettings
    instance_network: InstanceNetworkSettings
    models: dict[ModelName, SerializeAsAny[ModelSettings]]
    decision: DecisionSettings
    ensemble: EnsembleSettings
    uncertainty: UncertaintySettings
    comparison: ComparisonSettings
    calibration: CalibrationSettings
    referral: ReferralSettings
    confounders: ConfounderSettings
    submission: SubmissionSettings
    audit: AuditSettings
    ablation: AblationSettings
    preprocessing: PreprocessingSettings
    permutation: PermutationSettings
    spread: SpreadSettings
    cell_draws: CellDrawSettings
    kaggle: KaggleSettings

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        """Parts of an image are not larger than the image."""
        segmentation = self.segmentation.model_dump(exclude={"region"})
        parts = {f"segmentation.{key}": side for key, side in segmentation.items()}
        parts |= {f"backbones.{name}.crop": each.crop for name, each in self.backbones.items()}
        parts["cell_mask.reach_px"] = self.cell_mask.reach_px
        if self.pseudo_label.train == "head":  # cells of patients are shown as they are
            parts["pseudo_label.labelled_px"] = self.pseudo_label.labelled_px
        size = self.cohort.image_size
        if faults := [f"{key}: {side}" for key, side in parts.items() if side and side > size]:
            raise ValueError(f"{'; '.join(faults)} is above cohort.image_size, {size}")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        banks = ["morphology", *(f"autoencoder_{variant}" for variant in self.autoencoder.variants)]
        banks += [BLOOD_BANK, *CELL_BANKS, *PIXEL_BANKS]
        if taken := set(banks) & set(self.backbones):
            raise ValueError(f"backbones: {', '.join(sorted(taken))} is the name of another bank")
        banks += list(self.backbones)
        for name, model in self.models.items():
            features = getattr(model, "features", None)
            if features is not None and features not in banks:
                raise ValueError(f"models.{name}.features: {_unknown(features, banks)}")
        self._check_networks()
        self._check_pseudo_label()
        networks = [name for name, model in self.models.items() if model.kind == "d_mil"]
        for key, known in (("model", networks), ("segmented_features", banks)):
            if (named := getattr(self.ablation, key)) not in known:
                raise ValueError(f"ablation.{key}: {_unknown(named, known)}")
        self._check_preprocessing()
        self._check_backends()
        self._check_product()
        self._check_blends()
        self._check_refitted("permutation.models", self.permutation.models)
        self._check_refitted("spread.models", self.spread.models)
        self._check_drawn()
        return self

    def _check_drawn(self) -> None:
        """Cells are drawn for models that read features of cells, the same in every fold."""
        for name in self.cell_draws.models:
            if name not in self.models:
                raise ValueError(f"cell_draws.models: {_unknown(name, list(self.models))}")
            features = getattr(self.models[name], "features", None)
            if features in (None, *CELL_BANKS, *PIXEL_BANKS):
                raise ValueError(
                    f"cell_draws.models: {name} reads {features or 'no cells'}, which is not "
                    "features of cells that were made without labels; name another model"
                )

    def _check_preprocessing(self) -> None:
        """The models of the preprocessing tables, each of the kind of its row."""
        kinds = {"mi_svm": "mi_svm", "with_clinical": "mi_svm_xgboost"}
        for key, kind in {**kinds, "clinical": "clinical_xgboost"}.items():
            known = [name for name, model in self.models.items() if model.kind == kind]
            if (named := getattr(self.preprocessing, key)) not in known:
                raise ValueError(f"preprocessing.{key}: {_unknown(named, known)}")

    def _check_backends(self) -> None:
        """The package of an enabled model's backend is installed: a job would find out late."""
        for name, model in self.models.items():
            if model.enabled and getattr(model, "backend", None) == "misvm":
                try:
                    require_misvm()
                except ConfigError as error:
                    raise ValueError(f"models.{name}.{error}") from error

    def _check_blends(self) -> None:
        choices = self.ensemble.choices
        for name, among in choices.items():
            for model in [] if among == "all" else among:
                if model not in (*self.models, *BLENDS):
                    unknown = _unknown(model, [*self.models, *BLENDS])
                    raise ValueError(f"ensemble.choices.{name}: {unknown}")
        blends = [*BLENDS, *choices]
        if taken := {name for name in blends if name in self.models or blends.count(name) > 1}:
            raise ValueError(
                f"{', '.join(sorted(taken))}: a blend and something else has this name"
            )
        columns = [*blends, *(name for name, model in self.models.items() if model.enabled)]
        if self.submission.blend not in columns:
            raise ValueError(f"submission.blend: {_unknown(self.submission.blend, columns)}")
        if self.comparison.reference not in columns:
            raise ValueError(
                f"comparison.reference: {_unknown(self.comparison.reference, columns)}"
            )

    def _check_product(self) -> None:
        """Its models of images read cells alone, and its clinical model none."""
        product = self.ensemble.product
        for place, names in (("images", product.images), ("clinical", [product.clinical])):
            for model in names:
                if model not in self.models:
                    unknown = _unknown(model, list(self.models))
                    raise ValueError(f"ensemble.product.{place}: {unknown}")
                kind = registry.kind_of(self.models[model].kind)
                if kind.uses_images != (place == "images"):
                    reads = "no cells" if place == "images" else "cells"
                    raise ValueError(f"ensemble.product.{place}: {model} reads {reads}")
                if kind.uses_images and kind.reads_clinical:
                    raise ValueError(
                        f"ensemble.product.images: {model} reads age and count, which the product "
                        "would count twice; name models of images alone"
                    )

    def _check_refitted(self, place: str, names: list[str]) -> None:
        """Models that are refitted hundreds of times are cheap and read features without labels."""
        for name in names:
            if name not in self.models:
                raise ValueError(f"{place}: {_unknown(name, list(self.models))}")
            model = self.models[name]
            remedy = (
                f"name models of kind {' or '.join(CHEAP_KINDS)}; to test other features, "
                "add a pooled_logistic that reads them"
            )
            if model.kind not in CHEAP_KINDS:
                raise ValueError(
                    f"{place}: {name} is of kind {model.kind}, whose fit has no short cut and "
                    f"would be repeated for every shuffle or drawing, fold and inner fold; {remedy}"
                )
            if (features := getattr(model, "features", None)) in (*CELL_BANKS, *PIXEL_BANKS):
                raise ValueError(
                    f"{place}: {name} reads {features}, which is not features of cells that were "
                    f"made without labels; {remedy}"
                )

    def _check_networks(self) -> None:
        """The network of each block exists; a head may also be trained on `morphology`."""
        blocks = {
            "blood_cells": (self.blood_cells.network, "all"),
            "pseudo_label": (self.pseudo_label.network, self.pseudo_label.train),
            "instance_network": (self.instance_network.network, self.instance_network.train),
        }
        for block, (network, train) in blocks.items():
            known = [*self.backbones, *(["morphology"] if train == "head" else [])]
            if network not in known:
                raise ValueError(f"{block}.network: {_unknown(network, known)}")
            if train == "all" and not is_plain(self.backbones[network].model_dump()):
                raise ValueError(
                    f"{block}.network: {network} is normalised, or read at its stages, and cannot "
                    "be trained whole; name another backbone, or set `train: head`"
                )

    def _check_pseudo_label(self) -> None:
        settings = self.pseudo_label
        compared = {
            "pseudo_label.compare": settings.compare,
            "instance_network.compare": self.instance_network.compare,
        }
        plain = [name for name, each in self.backbones.items() if is_plain(each.model_dump())]
        for place, names in compared.items():
            for name in names:
                if name not in plain:
                    raise ValueError(f"{place}: {_unknown(name, plain)}")
        if settings.train == "head" and settings.stain == "competition":
            raise ValueError(
                "pseudo_label.stain: with `train: head` a cell's features are computed once for "
                "all folds, so it is the labelled cells that move: set stain to labelled_cells"
            )


FITTED_BLENDS = ("vote", "mean", "stack")  # of all enabled models
# Blends of the models under `ensemble.product`, and the parts of it that each needs.
PRODUCTS: Mapping[str, tuple[str, ...]] = {"product": ("images", "clinical"), "images": ("images",)}
BLENDS = (*FITTED_BLENDS, *PRODUCTS)
CHEAP_KINDS = ("clinical_logistic", "pooled_logistic")  # refitted in milliseconds
PIXEL_BANKS = {"pixels_raw": "raw_128", "pixels_segmented": "segmented_128"}  # images themselves
BLOOD_BANK = "blood_cells"  # of the network trained on blood cells of known type
# Banks of one probability of each cell, different in every fold. A series of rounds fills those of
# its line: `pseudo_label` starts as its block says, `bag_start` always from bags.
SERIES = {"pseudo_label": ("pseudo_label", "round_zero"), "bag_start": ("bag_start",)}
ROUND_BANKS = tuple(bank for banks in SERIES.values() for bank in banks)
CELL_BANKS = (*ROUND_BANKS, "instance_network")


_LARGEST_YAML = 1_000_000  # bytes; config.yaml has 20,000


class _NoDuplicateKeys(yaml.SafeLoader):
    """YAML's safe loader, except that a key given twice in one mapping is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in (key for key in keys if keys.count(key) > 1):
            raise ConfigError(f"{key} is given twice in one block, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises ConfigError where the file holds something else, is no YAML, or gives a key twice.
    """
    try:
        text = read_regular(path, _LARGEST_YAML).decode("utf-8-sig")
        content = yaml.load(text, _NoDuplicateKeys)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}; name a file of settings"
        ) from error
    # ValueError also of a date that is none, of bytes outside UTF-8, and of 5,000 digits.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no `key: value` lines")
    return content


def merge(base: Mapping[str, Any], *overlays: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings merged, later values over earlier ones; a list is replaced as a whole."""
    merged = dict(base)
    for overlay in overlays:
        for key, value in overlay.items():
            below = merged.get(key)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def check(settings: Mapping[str, Any]) -> Config:
    """The settings as a checked object.

    Raises ConfigError that lists every fault, an unknown key with its nearest neighbour.
    """
    models, faults = _check_models(settings.get("models"))
    try:
        checked = Config.model_validate({**settings, "models": models})
    except ValidationError as error:
        # Faults of the whole (no location) may follow from models left out for their faults.
        found = [_explain(Config, fault) for fault in error.errors() if fault["loc"] or not faults]
        raise ConfigError("\n".join(["config.yaml:", *faults, *found])) from error
    if faults:
        raise ConfigError("\n".join(["config.yaml:", *faults]))
    return checked


def validate(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, checked, as plain JSON-able values. Raises as `check` does."""
    checked = check(settings).model_dump(mode="json")
    for name, block in checked["models"].items():
        block["kind"] = settings["models"][name]["kind"]  # with its file, where it names one
    return checked


def schema() -> str:
    """The JSON schema of config.yaml, for editors that complete and check it."""
    kinds = tuple(kind.settings for kind in registry.kinds().values())
    any_model = Annotated[Union[kinds], Field(discriminator="kind")]  # type: ignore[valid-type]  # noqa: UP007
    shown = create_model(
        "Config", __base__=Config, __doc__=Config.__doc__, models=(dict[ModelName, any_model], ...)
    )
    return json.dumps(shown.model_json_schema(), indent=2) + "\n"


def _check_models(blocks: Any) -> tuple[dict[str, ModelSettings], list[str]]:
    """The settings objects of all models, and the faults of those that have some."""
    models: dict[str, ModelSettings] = {}
    faults: list[str] = []
    if not isinstance(blocks, Mapping) or not blocks:
        faults.append("  models: a block of models by name is needed")
    for name, block in blocks.items() if isinstance(blocks, Mapping) else ():
        if not isinstance(block, Mapping) or "kind" not in block:
            faults.append(f"  models.{name}: a model is a block of settings with a `kind`")
            continue
        try:
            models[name] = registry.settings_of(block)
        except ConfigError as error:
            faults.append(f"  models.{name}.kind: {error}")
        except ValidationError as error:
            settings = registry.kind_of(block["kind"]).settings
            faults += [_explain(settings, fault, "models", name) for fault in error.errors()]
    return models, faults


def _explain(settings: type[Settings], fault: Any, *above: str) -> str:
    """One fault in a line: the dotted key, the finding, and the value that was given."""
    location = fault["loc"]
    # pydantic puts the tag of the threshold's form into the location; the file has no such key.
    if location[:2] == ("decision", "threshold"):
        location = (*location[:2], *location[3:])
    place = [*above, *(str(part) for part in location if not _IN_PYDANTIC.match(str(part)))]
    dotted = ".".join(place)
    if fault["type"] == "extra_forbidden":
        return f"  {dotted}: {_unknown(place[-1], _known_keys(settings, location[:-1]))}"
    given = (
        "" if fault["type"] == "missing" or not place else f", got {reprlib.repr(fault['input'])}"
    )
    place_and_colon = f"{dotted}: " if dotted else ""
    return f"  {place_and_colon}{fault['msg'].removeprefix('Value error, ')}{given}"


# What pydantic puts into a location beside the keys of the file: the form of a value that may have
# several, and the mark of a key.
_IN_PYDANTIC = re.compile(r"(function-\w+|literal)?\[|constrained-")


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
    return f"{name} is unknown; {hint}"


def _known_keys(settings: type[Settings], location: Sequence[str | int]) -> list[str]:
    """The keys of the block at this place; keys of mappings and indices of lists are no fields."""
    for part in location:
        if field := settings.model_fields.get(str(part)):
            settings = _settings_in(field.annotation) or settings
    return list(settings.model_fields)


def _settings_in(annotation: Any) -> type[Settings] | None:
    """The settings class in a type such as `dict[str, Block]` or `list[Block]`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    return next((found for part in get_args(annotation) if (found := _settings_in(part))), None)
