"""The noise calculator: how submissions differ, and what a board can tell of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lymphokit.leaderboard.after_public import Groups, private_lead, private_score
from lymphokit.leaderboard.agreement import OutOfFold, pair_shares
from lymphokit.leaderboard.assumed import (
    Asked,
    given,
    letter,
    models_of,
    public_size,
    share_tumoral,
)
from lymphokit.leaderboard.chances import Distribution, Group, board_score, lead
from lymphokit.leaderboard.known import Known, look_up
from lymphokit.leaderboard.read import Submission, read_alike

PARTS = ("all", "public", "private")
SURE = 0.95  # the least chance of being ahead that is called sure
LIKELY = 0.8  # and likely
TOO_LITTLE = 0.01  # gained by a second file on the better of two: less is not seen in a score


@dataclass(frozen=True)
class Entrant:
    """One file under its letter: labels in the order of the patients, and what is known of it.

    noise and expected are its scores on each part: with the out-of-fold figures taken as exact,
    and with their own uncertainty. Empty where nothing is known of any file.
    """

    letter: str
    file: Submission
    known: Known
    noise: dict[str, Distribution]
    expected: dict[str, Distribution]


@dataclass(frozen=True)
class Pair:
    """Two entrants by position, a before b, and by how much a leads on each part of the test.

    only_a, only_b: numbers of patients whom one alone calls tumoral. most, least: the utmost a can
    be ahead on all patients, and behind (negative), with as many tumoral as expected.
    """

    a: int
    b: int
    only_a: int
    only_b: int
    most: float
    least: float
    leads: dict[str, Distribution]

    @property
    def differing(self) -> int:
        """On how many patients the two differ."""
        return self.only_a + self.only_b


@dataclass(frozen=True)
class Advice:
    """Which two to keep, by position; what to expect in private of the first, of the better."""

    first: int
    second: int
    alone: float
    together: float

    @property
    def gain(self) -> float:
        """What the second file adds."""
        return self.together - self.alone


@dataclass(frozen=True)
class Comparison:
    """All that can be said of some submissions; `notes` are sentences on where figures are from.

    after_public: whether the chances of the private part take in the scores of the public board.
    """

    patients: tuple[str, ...]
    n_public: int
    tumoral_share: float
    entrants: tuple[Entrant, ...]
    pairs: tuple[Pair, ...]
    advice: Advice | None
    after_public: bool
    notes: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels, a row an entrant: (n_files, n_patients)."""
        return np.array([entrant.file.labels for entrant in self.entrants])

    @property
    def contested(self) -> NDArray[np.int64]:
        """Positions of the patients on whom not all agree."""
        return np.flatnonzero(np.ptp(self.labels, axis=0))

    @property
    def n_tumoral(self) -> int:
        """How many test patients are expected to be tumoral."""
        return _n_tumoral(len(self.patients), self.tumoral_share)

    def pair(self, a: int, b: int) -> Pair:
        """The pair of these two positions, a before b."""
        return next(pair for pair in self.pairs if (pair.a, pair.b) == (a, b))


def compare(paths: Sequence[Path], asked: Asked) -> Comparison:
    """Read submissions and work out all chances, exactly.

    Raises SubmissionError for files that cannot be compared, LedgerError for a damaged ledger and
    CompareError for figures that do not fit the files.
    """
    files = read_alike(paths)
    n = len(files[0].patients)
    n_public = public_size(n, asked.public)
    found, notes = look_up(files, asked.ledger)
    found = given(found, asked, n)
    any_figures = any(known.figures for known in found)
    share, said = share_tumoral(found, files, asked)
    models, assumed = models_of(found, share, n)
    entrants = [
        _entrant(place, file, known, model if any_figures else None, n_public)
        for place, (file, known, model) in enumerate(zip(files, found, models, strict=True))
    ]
    pairs = [
        _pair(a, b, files, models, n_public, share) for a, b in combinations(range(len(files)), 2)
    ]
    public = [known.public for known in found]
    after, surprise = _after_public(entrants, pairs, files, models, n_public, public)
    if after:
        entrants, pairs = after
    return Comparison(
        patients=files[0].patients,
        n_public=n_public,
        tumoral_share=share,
        entrants=tuple(entrants),
        pairs=tuple(pairs),
        advice=_advice(entrants, pairs) if any_figures else None,
        after_public=after is not None,
        notes=(*notes, *assumed, said, *surprise),
    )


def _entrant(
    place: int, file: Submission, known: Known, model: OutOfFold | None, n_public: int
) -> Entrant:
    noise, expected = {}, {}
    if model is not None:
        called, spared = _groups_of(file, model)
        for part, drawn in _drawn(len(file.patients), n_public).items():
            noise[part] = board_score(called.known(), spared.known(), drawn)
            expected[part] = board_score(called, spared, drawn)
    return Entrant(letter(place), file, known, noise, expected)


def _groups_of(file: Submission, model: OutOfFold) -> tuple[Group, Group]:
    """Those whom the file calls tumoral, and those it calls reactive."""
    called, spared = model.tumoral_of()
    n_called = int(file.labels.sum())
    return Group(n_called, called), Group(len(file.labels) - n_called, spared)


def _groups_of_two(
    files: tuple[Submission, Submission], models: tuple[OutOfFold, OutOfFold]
) -> Groups:
    """Whom both call tumoral, A alone, B alone, neither."""
    a, b = files[0].labels, files[1].labels
    sizes = [int(np.sum((a == i) & (b == j))) for i, j in ((1, 1), (1, 0), (0, 1), (0, 0))]
    shares = pair_shares(*models, differing=float(np.mean(a != b)))
    both, first, second, neither = (Group(*one) for one in zip(sizes, shares, strict=True))
    return both, first, second, neither


def _pair(
    a: int,
    b: int,
    files: Sequence[Submission],
    models: Sequence[OutOfFold],
    n_public: int,
    share: float,
) -> Pair:
    groups = _groups_of_two((files[a], files[b]), (models[a], models[b]))
    _, first, second, _ = groups
    n = sum(group.size for group in groups)
    n_tumoral = _n_tumoral(n, share)
    most, least = utmost(first.size, second.size, n_tumoral, n - n_tumoral)
    leads = {part: lead(*groups, drawn) for part, drawn in _drawn(n, n_public).items()}
    return Pair(a, b, first.size, second.size, most, least, leads)


def utmost(only_a: int, only_b: int, n_tumoral: int, n_reactive: int) -> tuple[float, float]:
    """How far A can be ahead of B, right wherever they differ, and behind (negative), wrong there.

    only_a, only_b: patients whom one alone calls tumoral; at most so many labels fit them.
    """
    ahead = min(only_a, n_tumoral) / n_tumoral + min(only_b, n_reactive) / n_reactive
    behind = min(only_b, n_tumoral) / n_tumoral + min(only_a, n_reactive) / n_reactive
    return ahead / 2, -behind / 2


def _n_tumoral(n: int, share: float) -> int:
    """How many of n patients to take as tumoral: at least one of each label."""
    return min(max(round(n * share), 1), n - 1)


def _drawn(n: int, n_public: int) -> dict[str, int]:
    return dict(zip(PARTS, (n, n_public, n - n_public), strict=True))


def _after_public(
    entrants: Sequence[Entrant],
    pairs: Sequence[Pair],
    files: Sequence[Submission],
    models: Sequence[OutOfFold],
    n_public: int,
    public: Sequence[float],
) -> tuple[tuple[list[Entrant], list[Pair]] | None, list[str]]:
    """Entrants and pairs whose private part has learnt from the public board; else why not.

    Only once every file has its public score: one that has would gain or lose against its likes.
    """
    if any(math.isnan(score) for score in public):
        some = not all(math.isnan(score) for score in public)
        return None, ["board scores are reckoned with once every file has one"] if some else []
    informed, judged = [], []
    for entrant, model in zip(entrants, models, strict=True):
        score = entrant.known.public
        private = private_score(*_groups_of(entrant.file, model), n_public, score)
        if private is None:
            return None, [_impossible(entrant.letter, f"{score:g}", n_public)]
        told = {**entrant.expected, "private": private} if entrant.expected else {}
        informed.append(replace(entrant, expected=told))
    for pair in pairs:
        a, b = pair.a, pair.b
        groups = _groups_of_two((files[a], files[b]), (models[a], models[b]))
        private = private_lead(groups, n_public, (public[a], public[b]))
        if private is None:
            both = f"{letter(a)} and {letter(b)}"
            return None, [_impossible(both, f"{public[a]:g} and {public[b]:g}", n_public)]
        judged.append(replace(pair, leads={**pair.leads, "private": private}))
    return (informed, judged), []


def _impossible(who: str, scores: str, n_public: int) -> str:
    return (
        f"no labels of {n_public} patients give {who} the public score {scores}, so board scores "
        "are left out: is the public part of another size (--public), or a score mistyped?"
    )


def _advice(entrants: Sequence[Entrant], pairs: Sequence[Pair]) -> Advice:
    """The best expected on the private part, and whoever adds most to the better of the two.

    The better of first and second is the first plus what the second is ahead by, where it is.
    """
    means = [entrant.expected["private"].mean for entrant in entrants]
    first = int(np.argmax(means))
    gains = {
        pair.a + pair.b - first: _gain(pair, first) for pair in pairs if first in (pair.a, pair.b)
    }
    second = max(gains, key=lambda place: gains[place])
    return Advice(first, second, means[first], means[first] + gains[second])


def _gain(pair: Pair, first: int) -> float:
    """By how much the other is ahead of the first on the private part, 0 where it is not."""
    private = pair.leads["private"]
    behind = private.mean_of_gain - private.mean
    return behind if pair.a == first else private.mean_of_gain
