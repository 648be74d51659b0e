"""The door to both ways of training: `head` and `all`.

Each is a module of its own, imported when asked for: a round of `head` takes less time than the
import of torch, which only `all` needs.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from lymphokit.pseudo_labels.rounds import Learner

MODULES = {
    "head": "lymphokit.pseudo_labels.frozen_trunk",
    "all": "lymphokit.pseudo_labels.whole_network",
}


def open_learner(
    settings: Mapping[str, Any],
    files: Mapping[str, str],
    *,
    frame: Mapping[str, int | None],
    trunk: Mapping[str, Any],
    seed: int,
) -> Learner:
    """The learner that `train` in the settings of `pseudo_label` asks for.

    files: the rule's inputs by name; frame: `size` and `crop` of the cohort's images; trunk: what
    `load_backbone` takes, and seed where its weights are random.
    """
    module = import_module(MODULES[settings["train"]])
    return cast(Learner, module.open_learner(settings, files, frame=frame, trunk=trunk, seed=seed))
