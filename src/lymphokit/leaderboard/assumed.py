"""What a comparison starts from: what the person gave, what the ledger has, and what is assumed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lymphokit.errors import LymphokitError
from lymphokit.leaderboard.agreement import OutOfFold
from lymphokit.leaderboard.known import Known
from lymphokit.leaderboard.read import Submission

MIDDLING = 0.75  # recall and specificity where none is known: the same for all, so they cancel


class CompareError(LymphokitError):
    """What was asked of a comparison does not go together."""


@dataclass(frozen=True)
class Asked:
    """What the person gave beside the files; None or empty where the ledger is to say it.

    public: share of the test patients on the public board; recall, specificity: one for all files
    or one a file; patients: on how many they were measured.
    """

    public: float
    recall: tuple[float, ...] = ()
    specificity: tuple[float, ...] = ()
    patients: float | None = None
    tumoral_share: float | None = None
    ledger: Path | None = None


def letter(place: int) -> str:
    """The name of a file in tables and pictures: A to Z, then A2 to Z2 and so on."""
    turn, which = divmod(place, 26)
    return chr(ord("A") + which) + (str(turn + 1) if turn else "")


def public_size(n: int, share: float) -> int:
    """How many patients the public board scores.

    Raises CompareError where no patient is left for one of the two boards.
    """
    n_public = round(n * share)
    if not 0 < n_public < n:
        raise CompareError(
            f"a public part of {share:g} of {n} patients leaves none for a board; give --public as "
            "a share between 0 and 1, as the competition's page tells it"
        )
    return n_public


def given(found: Sequence[Known], asked: Asked, n: int) -> list[Known]:
    """What is known, with figures that the person gave in place of the ledger's.

    Where they did not say on how many patients these were measured: as many as the test has.
    """
    for name, share in {
        "out-of-fold score": (*asked.recall, *asked.specificity),
        "--tumoral-share": () if asked.tumoral_share is None else (asked.tumoral_share,),
    }.items():
        if any(not 0 <= value <= 1 for value in share):
            raise CompareError(f"{name} {share[0]:g} is no share: give numbers from 0 to 1")
    if asked.patients is not None and not asked.patients > 0:
        raise CompareError("--oof-patients is how many patients were scored: give at least 1")
    known = list(found)
    if asked.recall or asked.specificity:
        pairs = zip(
            _each(asked.recall, len(known)), _each(asked.specificity, len(known)), strict=True
        )
        known = [
            replace(one, figures=_figures(one.figures, recall, specificity))
            for one, (recall, specificity) in zip(known, pairs, strict=True)
        ]
    return [_counted(one, asked.patients, n) for one in known]


def _figures(ledgers: OutOfFold | None, recall: float, specificity: float) -> OutOfFold:
    """Figures that were given; of the ledger's, what they do not say."""
    if ledgers is None:
        return OutOfFold(recall, specificity, math.nan, math.nan)
    return replace(ledgers, recall=recall, specificity=specificity)


def _each(values: Sequence[float], n_files: int) -> Sequence[float]:
    """One value a file.

    Raises CompareError unless there is one for all or one for each.
    """
    if len(values) == 1:
        return list(values) * n_files
    if len(values) != n_files:
        raise CompareError(
            f"{len(values)} values for {n_files} files: give one for each in the order of the "
            "files, or one for all, of sensitivity and of specificity, or of --oof alone"
        )
    return values


def _counted(known: Known, asked: float | None, n: int) -> Known:
    """With the number of patients behind the figures: as asked, as known, or else the test's."""
    if known.figures is None:
        return known
    own = known.figures.patients
    patients = asked if asked is not None else n if math.isnan(own) else own
    return replace(known, figures=replace(known.figures, patients=float(patients)))


def share_tumoral(
    found: Sequence[Known], files: Sequence[Submission], asked: Asked
) -> tuple[float, str]:
    """The share of tumoral patients to expect in the test, and where it is from."""
    n = len(files[0].patients)
    seen = [known.figures.tumoral_share for known in found if known.figures]
    seen = [share for share in seen if not math.isnan(share)]
    if asked.tumoral_share is not None:
        share, source = asked.tumoral_share, "--tumoral-share"
    elif seen:
        share, source = float(np.mean(seen)), "as among the training patients, says the ledger"
    else:
        share = float(np.mean([file.labels.mean() for file in files]))
        source = "as many as the files call so; better, give --tumoral-share as in training"
    share = min(max(share, 0.5 / n), 1 - 0.5 / n)  # never a test of one label for certain
    return share, f"{share:.0%} of the test patients are taken to be tumoral ({source})"


def models_of(found: Sequence[Known], share: float, n: int) -> tuple[list[OutOfFold], list[str]]:
    """Figures of every file, those without any taken to be as good as the others."""
    own = [known.figures for known in found if known.figures]
    stand_in = OutOfFold(MIDDLING, MIDDLING, share, float(n))
    if own:
        stand_in = OutOfFold(
            float(np.mean([figures.recall for figures in own])),
            float(np.mean([figures.specificity for figures in own])),
            share,
            min(figures.patients for figures in own),
        )
    models = [replace(known.figures or stand_in, tumoral_share=share) for known in found]
    without = [letter(place) for place, known in enumerate(found) if not known.figures]
    if not without:
        return models, []
    who = "no file" if not own else f"{', '.join(without)}"
    as_what = "all are taken to be equally good" if not own else "taken to be as good as the rest"
    return models, [f"no out-of-fold score of {who}: {as_what}"] if own else [
        f"no out-of-fold score of any file: {as_what} (give --oof, or name the --ledger)"
    ]
