"""Kinds of white cells: small, reactive and abnormal lymphocytes, and eight blood types."""

from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lymphokit.simulation.drawing import Stain
from lymphokit.simulation.white_cells import BASOPHIL_BLUE, Granules, WhiteCell

Kind = Literal["small", "reactive", "abnormal"]
Lobes = tuple[tuple[float, float, float], ...]
AZURE: Stain = (0.30, 0.85, 0.20)


@dataclass(frozen=True)
class Traits:
    """Traits of a lymphocyte; lengths in pixels, the rest shares or multiples."""

    nucleus_radius: float
    cytoplasm_width: float
    elongation: float
    ruggedness: float
    nucleus_ruggedness: float
    clumping: float
    nucleus_density: float
    basophilia: float
    horns: float


def _array(traits: Traits) -> NDArray[np.float64]:
    return np.array(astuple(traits))


# Mean and standard deviation of the traits within a kind. _CLONE_SPREAD is the standard deviation
# of the mean traits of abnormal clones between patients.
_MEAN = {
    "small": _array(Traits(28.0, 4.0, 0.07, 0.035, 0.030, 0.38, 1.03, 0.80, 0.3)),
    "reactive": _array(Traits(32.0, 10.0, 0.13, 0.080, 0.055, 0.25, 0.90, 1.00, 1.4)),
    "abnormal": _array(Traits(25.8, 2.6, 0.05, 0.025, 0.020, 0.85, 1.04, 0.70, 0.0)),
}
_SPREAD = {
    "small": _array(Traits(2.2, 1.6, 0.040, 0.015, 0.015, 0.15, 0.07, 0.22, 0.6)),
    "reactive": _array(Traits(3.2, 4.0, 0.060, 0.030, 0.025, 0.14, 0.08, 0.30, 1.2)),
    "abnormal": _array(Traits(1.0, 0.7, 0.020, 0.008, 0.008, 0.08, 0.04, 0.08, 0.2)),
}
_CLONE_SPREAD = _array(Traits(1.6, 0.7, 0.020, 0.008, 0.008, 0.12, 0.05, 0.12, 0.0))
_LEAST = _array(Traits(18.0, 0.8, 0.0, 0.008, 0.008, 0.0, 0.70, 0.45, 0.0))
_MOST = _array(Traits(42.0, 24.0, 0.30, 0.200, 0.140, 1.0, 1.25, 1.70, 4.0))


@dataclass(frozen=True)
class Population:
    """Distribution of the lymphocytes of one patient.

    reactive_share: of the normal cells; clone: deviations of the abnormal clone's mean traits, in
    standard deviations between patients; signal: 0 (an abnormal cell is drawn as a normal one) to
    1 (with the traits of the abnormal clone).
    """

    reactive_share: float
    clone: NDArray[np.float64]
    signal: float


def draw_population(rng: np.random.Generator, signal: float) -> Population:
    """Draw the distribution of a patient's lymphocytes, independently of the label."""
    clone = rng.standard_normal(len(_CLONE_SPREAD))
    return Population(float(rng.uniform(0.2, 0.8)), clone, signal)


def draw_lymphocyte(
    rng: np.random.Generator, population: Population, abnormal: bool
) -> tuple[WhiteCell, Kind]:
    """Draw one lymphocyte of a patient; return it with its kind.

    Every kind consumes the same random numbers, so that without signal cells do not depend on it.
    """
    is_reactive = rng.random() < population.reactive_share
    normal: Kind = "reactive" if is_reactive else "small"
    traits = _scattered(rng, normal, _MEAN[normal])
    mean = _MEAN["abnormal"] + population.clone * _CLONE_SPREAD
    abnormal_traits = _scattered(rng, "abnormal", mean)
    if abnormal:
        traits = traits + population.signal * (abnormal_traits - traits)
    limited = np.clip(traits, _LEAST, _MOST)
    return _lymphocyte(rng, Traits(*limited.tolist())), "abnormal" if abnormal else normal


def _scattered(
    rng: np.random.Generator, kind: Kind, mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    spread = _SPREAD[kind]
    return np.asarray(mean + spread * rng.standard_normal(len(spread)))


def _lymphocyte(rng: np.random.Generator, traits: Traits) -> WhiteCell:
    """Draw the appearance of a lymphocyte; the nucleus is off centre where the cytoplasm allows."""
    direction = rng.uniform(0, 2 * np.pi)
    aside = rng.uniform(0.2, 1.0) * traits.cytoplasm_width
    lobe = (aside * np.sin(direction), aside * np.cos(direction), traits.nucleus_radius)
    has_granules = rng.random() < 0.12
    return WhiteCell(
        radius=traits.nucleus_radius + traits.cytoplasm_width,
        lobes=(lobe,),
        elongation=traits.elongation,
        ruggedness=traits.ruggedness,
        nucleus_elongation=traits.elongation,
        nucleus_ruggedness=traits.nucleus_ruggedness,
        clumping=traits.clumping,
        nucleus_density=traits.nucleus_density,
        cytoplasm=BASOPHIL_BLUE,
        cytoplasm_density=traits.basophilia,
        horns=round(traits.horns),
        granules=Granules(AZURE, 0.03, 0.8) if has_granules else None,
    )


@dataclass(frozen=True)
class _BloodType:
    """Parameters of a blood type; the size and nucleus of each cell vary around them."""

    prefix: str
    radius: float
    nucleus: Literal["round", "oval", "folded", "two", "many"]
    nucleus_share: float
    nucleus_density: float
    clumping: float
    ruggedness: float
    cytoplasm: Stain
    cytoplasm_density: float
    granules: Granules | None = None
    vacuoles: float = 0.0


_PINK: Stain = (0.22, 0.50, 0.20)
_ORANGE: Stain = (0.20, 0.62, 0.42)
_GREY_BLUE: Stain = (0.50, 0.52, 0.20)
_LILAC: Stain = (0.36, 0.52, 0.16)
BLOOD_TYPES = {
    "basophil": _BloodType(
        "BA", 37, "two", 0.60, 0.8, 0.3, 0.03, _LILAC, 0.8,
        Granules((0.95, 1.25, 0.35), 0.42, 1.3, over_nucleus=True),
    ),
    "eosinophil": _BloodType(
        "EO", 39, "two", 0.44, 1.0, 0.6, 0.02, _PINK, 1.0, Granules(_ORANGE, 0.80, 1.2)
    ),
    "erythroblast": _BloodType("ERB", 26, "round", 0.60, 1.1, 0.8, 0.03, _GREY_BLUE, 1.0),
    "ig": _BloodType(
        "IG", 44, "oval", 0.70, 0.92, 0.4, 0.03, _LILAC, 0.9, Granules(AZURE, 0.16, 0.9)
    ),
    "monocyte": _BloodType(
        "MO", 46, "folded", 0.58, 0.92, 0.3, 0.05, _GREY_BLUE, 0.8, None, 0.25
    ),
    "neutrophil": _BloodType(
        "BNE", 40, "many", 0.36, 1.05, 0.6, 0.02, _PINK, 0.65, Granules(AZURE, 0.20, 0.8)
    ),
}  # fmt: skip
BLOOD_PREFIXES = {name: kind.prefix for name, kind in BLOOD_TYPES.items()} | {
    "lymphocyte": "LY",
    "platelet": "PLATELET",
}


def draw_blood_cell(rng: np.random.Generator, name: str) -> WhiteCell:
    """Draw one normal white cell of a type in BLOOD_TYPES."""
    kind = BLOOD_TYPES[name]
    radius = kind.radius * rng.normal(1, 0.06)
    return WhiteCell(
        radius=radius,
        lobes=_lobes(rng, kind, radius),
        elongation=abs(rng.normal(0, 0.06)),
        ruggedness=kind.ruggedness,
        nucleus_elongation=0.05 if kind.nucleus == "round" else abs(rng.normal(0.14, 0.06)),
        nucleus_ruggedness=0.04,
        clumping=kind.clumping,
        nucleus_density=kind.nucleus_density * rng.normal(1, 0.05),
        cytoplasm=kind.cytoplasm,
        cytoplasm_density=kind.cytoplasm_density * rng.normal(1, 0.1),
        vacuoles=kind.vacuoles,
        granules=kind.granules,
    )


def _lobes(rng: np.random.Generator, kind: _BloodType, radius: float) -> Lobes:
    """Draw the lobes of a nucleus, in an arc around the cell's centre."""
    size = kind.nucleus_share * radius
    numbers = {"round": 1, "oval": 1, "folded": 5, "two": 2, "many": int(rng.integers(3, 6))}
    number = numbers[kind.nucleus]
    start = rng.uniform(0, 2 * np.pi)
    if number == 1:
        aside = rng.uniform(0, 0.7) * (radius - size)
        return ((aside * np.sin(start), aside * np.cos(start), size),)
    turn = {"folded": 3.6, "two": 1.9, "many": 4.4}[kind.nucleus]
    angles = start + np.linspace(0, turn, number) + rng.normal(0, 0.1, number)
    lobe = size * {"folded": 0.72, "two": 1.0, "many": 0.95}[kind.nucleus]
    away = min(radius - lobe - 2, lobe * number / turn * 1.35)
    return tuple((away * np.sin(angle), away * np.cos(angle), lobe) for angle in angles)
