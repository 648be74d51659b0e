"""What was seen out of fold, as counts of patients from which the board can be foretold."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import pandas as pd

from lymphokit.leaderboard.chances import Share

LEVEL = 0.95  # of the intervals in the ledger, and of all that are shown
PRIOR = 0.5  # patients added to each cell of label by decision: Jeffreys' prior


@dataclass(frozen=True)
class OutOfFold:
    """Recall, specificity and share tumoral of the training patients, and how many there were.

    patients need not be whole: from the ledger it is the number whom no model learned from that
    would give an interval as wide as the one that stands there. Folds share patients, so it is
    less than half of those in the folds.
    """

    recall: float
    specificity: float
    tumoral_share: float
    patients: float

    @property
    def balanced_accuracy(self) -> float:
        """Mean of recall and specificity."""
        return (self.recall + self.specificity) / 2

    def tumoral_of(self) -> tuple[Share, Share]:
        """Shares that truly are tumoral, of those called tumoral and of those called reactive.

        A Dirichlet prior of PRIOR patients a cell makes recall, specificity and these two shares
        all beta distributed; the latter two do not depend on how many were called tumoral, so
        that a file's own number of them may be put in.
        """
        tumoral, reactive = self._labels()
        called = Share.seen(self.recall * tumoral, (1 - self.specificity) * reactive, PRIOR)
        spared = Share.seen((1 - self.recall) * tumoral, self.specificity * reactive, PRIOR)
        return called, spared

    def called(self) -> Share:
        """The share of patients called tumoral."""
        tumoral, reactive = self._labels()
        called = self.recall * tumoral + (1 - self.specificity) * reactive
        return Share.seen(called, self.patients - called, 2 * PRIOR)

    def _labels(self) -> tuple[float, float]:
        """Numbers of tumoral and of reactive patients."""
        tumoral = self.tumoral_share * self.patients
        return tumoral, self.patients - tumoral


def of_row(row: "pd.Series[float]") -> OutOfFold:
    """The figures of a row of the ledger; NaN where they do not follow from it.

    Specificity follows from balanced accuracy and recall, the share tumoral from those and
    precision, the number of patients from the width of the interval.
    """
    recall, precision = float(row["oof_recall"]), float(row["oof_precision"])
    specificity = min(max(2 * float(row["oof_balanced_accuracy"]) - recall, 0.0), 1.0)
    share = tumoral_share(recall, specificity, precision)
    return OutOfFold(recall, specificity, share, _patients(recall, specificity, share, _width(row)))


def _width(row: "pd.Series[float]") -> float:
    """Of the interval of balanced accuracy; where it is cut off at 1, twice its lower half."""
    score, low, high = (row[f"oof_balanced_accuracy{end}"] for end in ("", "_low", "_high"))
    return float(high - low if high < 1 else 2 * (score - low))


def tumoral_share(recall: float, specificity: float, precision: float) -> float:
    """The share tumoral at which recall and specificity give this precision; NaN if any would.

    Six decimals in the ledger leave nothing of it where next to no reactive patient is called
    tumoral, which is NaN as well.
    """
    for_tumoral, for_reactive = precision * (1 - specificity), recall * (1 - precision)
    if not (for_tumoral > 1e-5 and for_reactive > 1e-5):
        return math.nan
    return for_tumoral / (for_tumoral + for_reactive)


def _patients(recall: float, specificity: float, share: float, width: float) -> float:
    """How many patients give an interval at LEVEL of this width; NaN where it has none."""
    deviation = width / (2 * NormalDist().inv_cdf((1 + LEVEL) / 2))
    a_patient = (recall * (1 - recall) / share + specificity * (1 - specificity) / (1 - share)) / 4
    return a_patient / deviation**2 if deviation > 0 and a_patient > 0 else math.nan


def pair_shares(a: OutOfFold, b: OutOfFold, differing: float) -> tuple[Share, Share, Share, Share]:
    """Shares tumoral among whom both call tumoral, A alone, B alone, neither.

    differing: the share of the test patients on whom the two files differ; out of fold they are
    taken to have differed on as many, more among the patients on whom they err more. So few
    patients stand behind the lead of one over the other, and the share is as uncertain as they are
    few: with 3 of 42 differing, 121 training patients give some 9 from which to know who is right.
    """
    share = (a.tumoral_share + b.tumoral_share) / 2
    patients = min(a.patients, b.patients)
    recalls, specificities = (a.recall, b.recall), (a.specificity, b.specificity)
    independent = share * _differ(recalls) + (1 - share) * _differ(specificities)
    scale = differing / independent if independent > 0 else 1.0
    tumoral = [share * patients * cell for cell in _cells(recalls, scale)]
    reactive = [(1 - share) * patients * cell for cell in _cells(specificities, scale)]
    both_right, a_right, b_right, none_right = range(4)
    prior = PRIOR / 2  # so that the two cells that make one of a file's have PRIOR together
    return (
        Share.seen(tumoral[both_right], reactive[none_right], prior),
        Share.seen(tumoral[a_right], reactive[b_right], prior),
        Share.seen(tumoral[b_right], reactive[a_right], prior),
        Share.seen(tumoral[none_right], reactive[both_right], prior),
    )


def _differ(right: tuple[float, float]) -> float:
    """How often exactly one is right, were the two independent."""
    a, b = right
    return a * (1 - b) + b * (1 - a)


def _cells(right: tuple[float, float], scale: float) -> tuple[float, float, float, float]:
    """Shares of one label's patients on whom both are right, A alone, B alone, none.

    right: how often A is, and B; scale: how much more they differ than if independent.
    """
    a, b = right
    differ = min(max(scale * _differ(right), abs(a - b)), a + b, 2 - a - b)
    return (
        (a + b - differ) / 2,
        (differ + a - b) / 2,
        (differ - a + b) / 2,
        1 - (a + b + differ) / 2,
    )
