"""The shuffles of the permutation test, by name: what the workflow reads before anything runs."""

from collections.abc import Sequence
from typing import Literal, get_args

Shuffle = Literal["labels", "images", "images_of_size", "images_of_risk"]
SHUFFLES: tuple[Shuffle, ...] = get_args(Shuffle)


def shuffles_for(kinds: Sequence[str]) -> tuple[Shuffle, ...]:
    """The shuffles that test something about models of these kinds.

    Shuffled images need a model of images; risk by age and count needs a clinical model.
    """
    if "pooled_logistic" not in kinds:
        return ("labels",)
    without_risk = tuple(name for name in SHUFFLES if name != "images_of_risk")
    return SHUFFLES if "clinical_logistic" in kinds else without_risk
