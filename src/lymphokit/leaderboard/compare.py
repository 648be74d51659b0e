"""Compare submissions: where they differ, which is likely better, which two to keep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lymphokit.leaderboard.distributions import (
    Distribution,
    FileGroups,
    Group,
    PairGroups,
    lead_distribution,
    score_distribution,
)
from lymphokit.leaderboard.out_of_fold import OutOfFold, pair_shares
from lymphokit.leaderboard.posterior import ImpossibleScoreError, private_lead, private_score
from lymphokit.leaderboard.records import Note, Options, gather, letter, public_size
from lymphokit.submission.read import Submission, read_submissions

PARTS = ("all", "public", "private")
# Least probability of leading that is called almost sure, and likely.
ALMOST_SURE, LIKELY = 0.95, 0.8
NEGLIGIBLE_GAIN = 0.01  # of a second file over the first alone; less is invisible in a score


@dataclass(frozen=True)
class Candidate:
    """One compared file, with its out-of-fold figures (None if unknown) and board scores (NaN).

    scores: distribution of its score on each of PARTS; scores_if_exact: the same with the
    out-of-fold figures taken as exact, so that only labels and sampling vary. Both are empty
    where no file has out-of-fold figures.
    """

    letter: str
    file: Submission
    figures: OutOfFold | None
    public: float
    private: float
    scores: dict[str, Distribution]
    scores_if_exact: dict[str, Distribution]


@dataclass(frozen=True)
class Pair:
    """Two candidates by position, a before b, and the lead of a on each of PARTS.

    only_a, only_b: numbers of patients predicted tumoral by one alone.
    """

    a: int
    b: int
    only_a: int
    only_b: int
    leads: dict[str, Distribution]

    @property
    def n_different(self) -> int:
        """Number of patients with different predictions."""
        return self.only_a + self.only_b


@dataclass(frozen=True)
class Advice:
    """Two files to keep, by position, and the expected private score of the first alone and of
    the better of the two.
    """

    first: int
    second: int
    mean_of_first: float
    mean_of_better: float

    @property
    def gain(self) -> float:
        """Gain from the second file."""
        return self.mean_of_better - self.mean_of_first


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    given_public: the distributions on the private part are conditional on the public scores.
    """

    patients: tuple[str, ...]
    n_public: int
    tumoral_share: float
    candidates: tuple[Candidate, ...]
    pairs: tuple[Pair, ...]
    advice: Advice | None
    given_public: bool
    notes: tuple[Note, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Predicted labels: (n_files, n_patients)."""
        return np.array([candidate.file.labels for candidate in self.candidates])

    @property
    def contested(self) -> NDArray[np.int64]:
        """Positions of the patients on whom the predictions differ."""
        return np.flatnonzero(np.ptp(self.labels, axis=0))

    @property
    def sizes(self) -> dict[str, int]:
        """Number of patients of each of PARTS."""
        return _sizes(len(self.patients), self.n_public)

    @property
    def n_tumoral(self) -> int:
        """Expected number of tumoral test patients; at least one of each label is left."""
        n = len(self.patients)
        return min(max(round(n * self.tumoral_share), 1), n - 1)

    def pair(self, a: int, b: int) -> Pair:
        """Pair of these two positions, in any order."""
        return next(pair for pair in self.pairs if {pair.a, pair.b} == {a, b})

    def deciding_lead(self, pair: Pair) -> Distribution:
        """Lead on all patients or, once public scores are known, on the private part."""
        return pair.leads["private" if self.given_public else "all"]


def compare(paths: Sequence[Path], options: Options) -> Comparison:
    """Read submissions and compute the exact distributions of their scores and leads.

    Raises SubmissionError for files that cannot be compared, LedgerError for a damaged ledger and
    CompareError for options that do not match the files.
    """
    files = read_submissions(paths)
    n_public = public_size(len(files[0].patients), options.public)
    evidence = gather(files, options)
    known = evidence.table["recall"].notna()
    groups = [_file_groups(*one) for one in zip(files, evidence.figures, strict=True)]
    pair_groups = {
        (a, b): _pair_groups(files[a], files[b], evidence.figures[a], evidence.figures[b])
        for a, b in combinations(range(len(files)), 2)
    }
    public = evidence.table["public"].tolist()
    private_scores, private_leads, notes = _given_public(groups, pair_groups, n_public, public)
    sizes = _sizes(len(files[0].patients), n_public)
    candidates = []
    for place, row in enumerate(evidence.table.to_dict("records")):
        scores, exact = _score_distributions(groups[place], sizes) if known.any() else ({}, {})
        if scores and place in private_scores:
            scores["private"] = private_scores[place]
        figures = evidence.figures[place] if known.iloc[place] else None
        boards = row["public"], row["private"]
        candidates.append(Candidate(letter(place), files[place], figures, *boards, scores, exact))
    pairs = []
    for (a, b), pair in pair_groups.items():
        leads = {part: lead_distribution(pair, size) for part, size in sizes.items()}
        if (a, b) in private_leads:
            leads["private"] = private_leads[a, b]
        pairs.append(Pair(a, b, pair.only_a.size, pair.only_b.size, leads))
    return Comparison(
        patients=files[0].patients,
        n_public=n_public,
        tumoral_share=evidence.tumoral_share,
        candidates=tuple(candidates),
        pairs=tuple(pairs),
        advice=_advice(candidates, pairs) if known.any() else None,
        given_public=bool(private_leads),
        notes=(*evidence.notes, *notes),
    )


def lead_bounds(only_a: int, only_b: int, n_tumoral: int, n_reactive: int) -> tuple[float, float]:
    """Largest and smallest possible lead of A: A right, or wrong, wherever the files differ.

    only_a, only_b: numbers of patients predicted tumoral by one alone; no more of them than there
    are patients of a label can have that label.
    """
    largest = min(only_a, n_tumoral) / n_tumoral + min(only_b, n_reactive) / n_reactive
    smallest = min(only_b, n_tumoral) / n_tumoral + min(only_a, n_reactive) / n_reactive
    return largest / 2, -smallest / 2


def _sizes(n: int, n_public: int) -> dict[str, int]:
    return dict(zip(PARTS, (n, n_public, n - n_public), strict=True))


def _file_groups(file: Submission, figures: OutOfFold) -> FileGroups:
    positive, negative = figures.tumoral_given_prediction()
    n_positive = int(file.labels.sum())
    n_negative = len(file.labels) - n_positive
    return FileGroups(Group(n_positive, positive), Group(n_negative, negative))


def _pair_groups(a: Submission, b: Submission, of_a: OutOfFold, of_b: OutOfFold) -> PairGroups:
    order = ((1, 1), (1, 0), (0, 1), (0, 0))  # predictions of A and B, as in PairGroups
    sizes = [int(np.sum((a.labels == i) & (b.labels == j))) for i, j in order]
    shares = pair_shares(of_a, of_b, disagreement=float(np.mean(a.labels != b.labels)))
    return PairGroups(*(Group(*one) for one in zip(sizes, shares, strict=True)))


def _score_distributions(
    groups: FileGroups, sizes: dict[str, int]
) -> tuple[dict[str, Distribution], dict[str, Distribution]]:
    """Scores on each of PARTS, with uncertain and with exact shares of tumoral patients."""
    exact = FileGroups(groups.positive.as_known(), groups.negative.as_known())
    scores = {part: score_distribution(groups, n) for part, n in sizes.items()}
    return scores, {part: score_distribution(exact, n) for part, n in sizes.items()}


def _given_public(
    groups: Sequence[FileGroups],
    pair_groups: dict[tuple[int, int], PairGroups],
    n_public: int,
    public: Sequence[float],
) -> tuple[dict[int, Distribution], dict[tuple[int, int], Distribution], list[Note]]:
    """Private scores by file and private leads by pair, given the public scores.

    Empty, with a note, unless all public scores are known (one alone would favour or penalise its
    file) and possible.
    """
    known = [not math.isnan(score) for score in public]
    if not all(known):
        return {}, {}, [Note("public_incomplete", {})] if any(known) else []
    try:
        scores = {
            place: private_score(one, n_public, public[place]) for place, one in enumerate(groups)
        }
        leads = {
            (a, b): private_lead(one, n_public, (public[a], public[b]))
            for (a, b), one in pair_groups.items()
        }
    except ImpossibleScoreError as error:
        return {}, {}, [Note("public_impossible", {"scores": error.scores, "n": n_public})]
    return scores, leads, []


def _advice(candidates: Sequence[Candidate], pairs: Sequence[Pair]) -> Advice:
    """Keep the file with the best expected private score, and the one that adds most to it.

    E[max(first, second)] = E[first] + E[max(second - first, 0)].
    """
    means = [candidate.scores["private"].mean for candidate in candidates]
    first = int(np.argmax(means))
    gains = {
        pair.a + pair.b - first: _gain(pair, first) for pair in pairs if first in (pair.a, pair.b)
    }
    second = max(gains, key=lambda place: gains[place])
    return Advice(first, second, means[first], means[first] + gains[second])


def _gain(pair: Pair, first: int) -> float:
    """E[max(lead of the other file over the first, 0)] on the private part."""
    lead = pair.leads["private"]
    # Of the lead x of a, E[max(-x, 0)] = E[max(x, 0)] - E[x].
    return lead.mean_positive_part - (lead.mean if pair.a == first else 0.0)
