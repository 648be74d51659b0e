"""The door to all models: a kind's name, and what it needs to be given."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from types import MappingProxyType
from typing import Any, cast

from lymphokit.bags.contract import BagModel
from lymphokit.errors import ConfigError


@dataclass(frozen=True)
class Kind:
    """A model's class as `module:name`, whether it looks at images and clinical attributes.

    counts_cells: where a prediction uses the number of a bag's cells, as the setting and its value
    that make it so; None where the same cells twice over never change a prediction. The largest
    of many cells is larger than that of few, which is not counting.
    """

    path: str
    uses_images: bool
    uses_clinical: bool
    counts_cells: tuple[str, str] | None = None

    def uses_bag_size(self, settings: Mapping[str, Any]) -> bool:
        """Whether predictions with these settings use the number of a bag's cells."""
        if self.counts_cells is None:
            return False
        setting, value = self.counts_cells
        return bool(settings[setting] == value)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "clinical_logistic": Kind(
            "lymphokit.models.clinical:ClinicalLogistic", uses_images=False, uses_clinical=True
        ),
        "clinical_xgboost": Kind(
            "lymphokit.models.clinical:ClinicalXgboost", uses_images=False, uses_clinical=True
        ),
        "mi_svm": Kind(
            "lymphokit.models.mi_svm:MiSvm",
            uses_images=True,
            uses_clinical=False,
        ),
        "mi_svm_xgboost": Kind(
            "lymphokit.models.mi_svm_xgboost:MiSvmXgboost", uses_images=True, uses_clinical=True
        ),
        "end_to_end": Kind(
            "lymphokit.deep_mil.end_to_end:EndToEnd", uses_images=True, uses_clinical=True
        ),
        "cell_counts_xgboost": Kind(
            "lymphokit.models.cell_counts:CellCountsXgboost",
            uses_images=True,
            uses_clinical=True,
            counts_cells=("matrix", "counts"),
        ),
        "cell_counts_lightgbm": Kind(
            "lymphokit.models.cell_counts:CellCountsLightgbm",
            uses_images=True,
            uses_clinical=True,
            counts_cells=("matrix", "counts"),
        ),
        "d_mil": Kind(
            "lymphokit.deep_mil.d_mil:DMil",
            uses_images=True,
            uses_clinical=True,
        ),
        "pooled_logistic": Kind(
            "lymphokit.models.pooled_logistic:PooledLogistic", uses_images=True, uses_clinical=False
        ),
        "one_class_svm": Kind(
            "lymphokit.models.one_class:OneClass", uses_images=True, uses_clinical=False
        ),
        "bag_average": Kind(
            "lymphokit.models.bag_average:BagAverage", uses_images=True, uses_clinical=False
        ),
        "bag_average_xgboost": Kind(
            "lymphokit.models.bag_average:BagAverageXgboost", uses_images=True, uses_clinical=True
        ),
    }
)


def kind_of(name: str) -> Kind:
    """The kind of this name. Raises ConfigError, with the nearest name, where there is none."""
    if name in KINDS:
        return KINDS[name]
    nearest = get_close_matches(name, KINDS, n=1, cutoff=0.0)[0]
    raise ConfigError(
        f"no model is of kind {name!r}: did you mean {nearest}? There are {', '.join(KINDS)}"
    )


def create(kind: str, *, seed: int, **settings: Any) -> BagModel:
    """An unfitted model of this kind, with the settings of its block in config.yaml.

    Only the chosen model's module is imported. Raises ConfigError for a kind that does not exist.
    """
    module, name = kind_of(kind).path.split(":")
    model = getattr(import_module(module), name)(seed=seed, **settings)
    return cast(BagModel, model)
