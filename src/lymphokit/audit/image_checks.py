"""Check that no image, nor a near duplicate of it, belongs to two patients."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from lymphokit.audit.findings import Check, counted
from lymphokit.errors import Fault

_REMEDY = (
    "look at both images: remove one from the raw data, or join the patients; where they are known "
    "and accepted, list the pair under audit.known_duplicates in config.yaml with the reason"
)


def check_images(
    pairs: pd.DataFrame,
    cells: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    n_candidates: int,
    known: Sequence[Mapping[str, Any]],
) -> tuple[Check, list[dict[str, Any]]]:
    """Check the pairs of images that `imaging.duplicates` found; return the accepted pairs too.

    pairs: `first, second` cells with `likeness`, `turn`, `identical`. Two images of one patient
    are no leak and are only counted.
    known: `audit.known_duplicates`, pairs of `patient/image` that a person accepted, with the
    reason; each comes back with `found`, whether it is still among the pairs.
    """
    part_of = dict(zip(patients["patient"], patients["part"], strict=True))
    cell_names = list(zip(cells["patient"], cells["image"], strict=True))
    accepted = {frozenset(pair["images"]): False for pair in known}
    faults, within = [], 0
    for row in pairs.to_dict("records"):
        (first, image), (second, other) = cell_names[row["first"]], cell_names[row["second"]]
        names = frozenset([f"{first}/{image}", f"{second}/{other}"])
        if first == second:
            within += 1
        elif names in accepted:
            accepted[names] = True
        else:
            one, two = f"{image} ({part_of[first]})", f"{other} of {second} ({part_of[second]})"
            faults.append(Fault(first, f"{one} is {_likeness(row)} {two}", _REMEDY))
    n_accepted = sum(accepted.values())
    compared = (
        f"{counted(len(cells), 'image')}, {counted(n_candidates, 'candidate pair')}: "
        f"{len(faults)} the same in two patients, {within} within one"
        + (f", {n_accepted} known and accepted" if n_accepted else "")
    )
    record = [
        {
            "images": sorted(pair["images"]),
            "reason": pair["reason"],
            "found": accepted[frozenset(pair["images"])],
        }
        for pair in known
    ]
    return Check("images", compared, tuple(faults)), record


def _likeness(row: Mapping[Hashable, Any]) -> str:
    turn = [] if row["turn"] == "as it is" else [row["turn"]]
    if row["identical"]:
        return " ".join(["pixel by pixel", *(f"({name})" for name in turn)])
    likeness = f"likeness {row['likeness']:.3f}"
    return f"nearly ({', '.join([*turn, likeness])})"
