"""No image is in two patients: not the same one, not nearly the same one."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lymphokit.audit.findings import Check, counted
from lymphokit.errors import Fault

_REMEDY = (
    "look at both images: remove one from the raw data, or join the patients; where they are known "
    "and accepted, list the pair under audit.known_duplicates in config.yaml with the reason"
)


@dataclass(frozen=True)
class AcceptedPair:
    """A pair of images, as `patient/image`, that a person looked at and accepts, and why."""

    images: frozenset[str]
    reason: str

    @classmethod
    def from_settings(cls, settings: Sequence[dict[str, Any]]) -> "list[AcceptedPair]":
        """Those of `audit.known_duplicates`."""
        return [cls(frozenset(pair["images"]), pair["reason"]) for pair in settings]


def check_images(
    pairs: pd.DataFrame,
    cells: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    n_candidates: int,
    known: Sequence[AcceptedPair],
) -> tuple[Check, list[dict[str, Any]]]:
    """Judge the pairs of images that `imaging.duplicates` found; and those accepted in writing.

    pairs: `first, second` cells with `likeness`, `turn`, `identical`. Two images of one patient
    leak nothing and are only counted. An accepted pair is told with its reason and whether it was
    `found`: one that no longer is hides nothing.
    """
    part_of = dict(zip(patients["patient"], patients["part"], strict=True))
    owner, image = cells["patient"].to_numpy(), cells["image"].to_numpy()
    faults, within, accepted = [], 0, set()
    for row in pairs.to_dict("records"):
        one, other = row["first"], row["second"]
        names = frozenset(f"{owner[cell]}/{image[cell]}" for cell in (one, other))
        if owner[one] == owner[other]:
            within += 1
        elif any(pair.images == names for pair in known):
            accepted.add(names)
        else:
            whose = f"{image[other]} of {owner[other]} ({part_of[owner[other]]})"
            what = f"{image[one]} ({part_of[owner[one]]}) is {_alike(row)} {whose}"
            faults.append(Fault(str(owner[one]), what, _REMEDY))
    compared = (
        f"{counted(len(cells), 'image')}, {counted(n_candidates, 'candidate pair')}: "
        f"{len(faults)} the same in two patients, {within} within one"
        + (f", {len(accepted)} known and accepted" if accepted else "")
    )
    told = [
        {"images": sorted(pair.images), "reason": pair.reason, "found": pair.images in accepted}
        for pair in known
    ]
    return Check("images", compared, tuple(faults)), told


def _alike(row: Mapping[Hashable, Any]) -> str:
    turn = [] if row["turn"] == "as it is" else [row["turn"]]
    if row["identical"]:
        return " ".join(["pixel by pixel", *(f"({name})" for name in turn)])
    likeness = f"likeness {row['likeness']:.3f}"
    return f"nearly ({', '.join([*turn, likeness])})"
