"""Compare submissions: where they differ, which is likely better, which two to keep."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.leaderboard.distributions import Distribution, Group, LeaderboardError, distribution
from lymphokit.leaderboard.oof_expectation import Joint, OutOfFold, pair_shares
from lymphokit.leaderboard.posterior import private_distribution
from lymphokit.submission.csv_files import Submission, read_submissions
from lymphokit.submission.ledger import LEDGER, NUMBERS, read_ledger, row_of
from lymphokit.submission.run_folder import Run, read_run

if TYPE_CHECKING:
    from lymphokit.leaderboard.paired_runs import Paired

SCORE, RECALL = "oof_balanced_accuracy", "oof_recall"
SHARE, SIZE = "oof_tumoral_share", "oof_effective_sample_size"
DEFAULT = 0.75  # recall and specificity where they are known of no file
# Predictions in the groups of one file; and of A and B in the groups of two: both, A, B, neither.
FILE = ((1, 0),)
PAIR = ((1, 1, 0, 0), (1, 0, 1, 0))


@dataclass(frozen=True)
class Candidate:
    """One compared file, with its out-of-fold figures and its score on the public board, or NaN.

    public, private: distributions of its score on each part; lead: of the private score of the
    best file minus that of this file; run: its folder; paired: the best file against this one on
    the same patients out of fold, None for the best and where a folder is missing.
    """

    letter: str
    file: Submission
    figures: OutOfFold
    public_score: float
    public: Distribution
    private: Distribution
    lead: Distribution
    run: Run | None = None
    paired: "Paired | None" = None

    @property
    def gain(self) -> float:
        """Expected private score of the better of the best file and this, minus that of the best.

        E[max(best, this)] = E[best] + E[max(this - best, 0)].
        """
        return float(np.maximum(-self.lead.values, 0) @ self.lead.probabilities)


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    best: the candidate with the highest expected private score; given_public: the distributions on
    the private part are conditional on the public scores; notes: assumptions.
    """

    n_public: int
    candidates: list[Candidate]
    best: Candidate
    given_public: bool
    notes: list[str]

    @property
    def patients(self) -> tuple[str, ...]:
        """Test patients."""
        return self.best.file.patients

    @property
    def n_private(self) -> int:
        """Number of patients on the private board."""
        return len(self.patients) - self.n_public

    @property
    def others(self) -> list[Candidate]:
        """All candidates but the best."""
        return [one for one in self.candidates if one is not self.best]

    @property
    def second(self) -> Candidate:
        """The candidate to keep beside the best, for the highest expected better of the two."""
        return max(self.others, key=lambda one: one.gain)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Predicted labels: (n_files, n_patients)."""
        return np.array([candidate.file.labels for candidate in self.candidates])

    @property
    def contested(self) -> NDArray[np.int64]:
        """Positions of the patients on whom the predictions differ."""
        return np.flatnonzero(np.ptp(self.labels, axis=0))


def compare(paths: Sequence[Path], public: float, oof: float | None = None) -> Comparison:
    """Read submissions and compute the exact distributions of their scores and leads.

    public: share of the test patients on the public board; oof: out-of-fold balanced accuracy of
    the files that the ledgers beside them lack, by default that of the others.
    Raises SubmissionError for files that cannot be compared, LedgerError for a damaged ledger and
    LeaderboardError for a public share that leaves a board empty.
    """
    files = read_submissions(paths)
    n_public = public_size(len(files[0].patients), public)
    figures, scores, notes = _gather(files, oof)
    # A single public score would favour or penalise its file.
    given_public = not np.isnan(scores).any()
    known = scores if given_public else [math.nan] * len(files)
    groups = list(map(_file_groups, files, figures))
    private = [
        private_distribution(one, n_public, FILE, [score])
        for one, score in zip(groups, known, strict=True)
    ]
    best = int(np.argmax([scores.mean for scores in private]))
    runs = [read_run(file) for file in files]
    paired, reasons = _pair_with(best, runs)
    candidates = []
    for place, file in enumerate(files):
        both = paired.get(place)
        joint = both.joint if both else None
        pair = _pair_groups(files[best], file, figures[best], figures[place], joint)
        candidates.append(
            Candidate(
                letter=letter(place),
                file=file,
                figures=figures[place],
                public_score=scores[place],
                public=distribution(groups[place], n_public, *FILE),
                private=private[place],
                lead=private_distribution(pair, n_public, PAIR, [known[best], known[place]]),
                run=runs[place],
                paired=both,
            )
        )
    notes += [*reasons, *_unused_scores(scores)]
    return Comparison(n_public, candidates, candidates[best], given_public, notes)


def _unused_scores(scores: Sequence[float]) -> list[str]:
    """The note where some files have a public score, and others none."""
    unknown = np.isnan(scores)
    some = unknown.any() and not unknown.all()
    return ["the public scores are used once every file has one"] if some else []


def _pair_with(best: int, runs: Sequence[Run | None]) -> "tuple[dict[int, Paired], list[str]]":
    """The best file against each other one out of fold, by place, and why others are missing."""
    without = [letter(place) for place, run in enumerate(runs) if run is None]
    inferred = "; how often it differs from the best file out of fold is inferred"
    reasons = [f"no folder belongs to {', '.join(without)}{inferred}"] if without else []
    found: dict[int, Paired] = {}
    first = runs[best]
    others = [(n, run) for n, run in enumerate(runs) if run is not None and n != best]
    if first is None or not others:
        return found, reasons
    # scipy, which the import takes, takes longer than all else here.
    from lymphokit.evaluation.uncertainty import UnpairedError
    from lymphokit.leaderboard.paired_runs import pair_runs

    for place, run in others:
        try:
            found[place] = pair_runs(first, run, (letter(best), letter(place)))
        except UnpairedError as error:
            reasons.append(f"{letter(place)}: {error}{inferred}")
    return found, reasons


def letter(place: int) -> str:
    """Name a file in tables and figures: A to Z, then A2 to Z2 and so on."""
    turn, which = divmod(place, 26)
    return chr(ord("A") + which) + (str(turn + 1) if turn else "")


def public_size(n: int, share: float) -> int:
    """Number of patients on the public board.

    Raises LeaderboardError where either board has no patient.
    """
    n_public = round(n * share)
    if not 0 < n_public < n:
        raise LeaderboardError(
            f"a public part of {share:g} of {n} patients leaves a board empty; give --public, a "
            "share between 0 and 1, as on the competition's page"
        )
    return n_public


def _gather(
    files: Sequence[Submission], oof: float | None
) -> tuple[list[OutOfFold], list[float], list[str]]:
    """Out-of-fold figures and public scores (NaN if unknown) of the files, and notes."""
    n = len(files[0].patients)
    folders = {file.path.parent for file in files}
    ledgers = {folder: read_ledger(folder / LEDGER) for folder in folders}
    found = [_ledger_row(file, ledgers[file.path.parent]) for file in files]
    rows = pd.DataFrame(found, columns=list(NUMBERS), dtype=float)
    public, unknown = rows.pop("board_public").tolist(), rows[SCORE].isna()
    if oof is not None:
        rows.loc[unknown, [SCORE, RECALL]] = oof
    # A file without figures: as good as the others on average, as uncertain as the most uncertain.
    rows = rows.fillna({**rows.mean(), SIZE: rows[SIZE].min()})
    predicted = float(np.mean([file.labels for file in files]))
    rows = rows.fillna({SCORE: DEFAULT, RECALL: DEFAULT, SHARE: predicted, SIZE: n})
    # Never a share of 0 or 1, which would exclude one of the labels.
    share = min(max(rows[SHARE].mean(), 0.5 / n), 1 - 0.5 / n)
    # Balanced accuracy is the mean of recall and specificity; six decimals may leave [0, 1].
    specificity = (2 * rows[SCORE] - rows[RECALL]).clip(0, 1)
    figures = [
        OutOfFold(recall, other, share, size)
        for recall, other, size in zip(rows[RECALL], specificity, rows[SIZE], strict=True)
    ]
    notes = [
        f"{letter(place)} is not in the ledger of its folder, or was changed since: it is taken to "
        f"have {figures[place].balanced_accuracy:.2f} out of fold (--oof)"
        for place in range(len(files))
        if unknown[place]
    ]
    return figures, public, [*notes, f"{share:.0%} of the test patients are taken to be tumoral"]


def _ledger_row(file: Submission, ledger: pd.DataFrame) -> dict[Hashable, Any]:
    """The row of a file in a ledger, empty where it has none."""
    row = row_of(ledger, file)
    return {} if row is None else ledger.iloc[row].to_dict()


def _file_groups(file: Submission, figures: OutOfFold) -> list[Group]:
    n_positive = int(file.labels.sum())
    sizes = n_positive, len(file.labels) - n_positive
    return list(map(Group, sizes, figures.tumoral_given_prediction()))


def _pair_groups(
    a: Submission,
    b: Submission,
    figures_a: OutOfFold,
    figures_b: OutOfFold,
    measured: tuple[Joint, Joint] | None,
) -> list[Group]:
    sizes = [int(np.sum((a.labels == i) & (b.labels == j))) for i, j in zip(*PAIR, strict=True)]
    disagreement = float(np.mean(a.labels != b.labels))
    return list(map(Group, sizes, pair_shares(figures_a, figures_b, disagreement, measured)))
