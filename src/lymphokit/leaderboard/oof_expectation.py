"""Out-of-fold figures of a file, and the beta distributions of unknown shares they imply."""

from dataclasses import dataclass

from lymphokit.leaderboard.distributions import Beta

Joint = tuple[float, float, float, float]  # shares: both files right, A alone, B alone, none
PRIOR = 0.5  # patients added to each cell of label by prediction: Jeffreys' prior


@dataclass(frozen=True)
class OutOfFold:
    """Out-of-fold figures: recall, specificity, share of tumoral patients, effective sample size.

    effective_size: number of independent patients behind the figures
    (`submission.ledger.effective_sample_size`), a fraction in general.
    """

    recall: float
    specificity: float
    tumoral_share: float
    effective_size: float

    @property
    def balanced_accuracy(self) -> float:
        """Mean of recall and specificity."""
        return (self.recall + self.specificity) / 2

    @property
    def confusion(self) -> tuple[float, float, float, float]:
        """Patients by prediction and label: hits, false alarms, misses, cleared; fractions."""
        n_tumoral = self.tumoral_share * self.effective_size
        n_reactive = self.effective_size - n_tumoral
        hits, cleared = self.recall * n_tumoral, self.specificity * n_reactive
        return hits, n_reactive - cleared, n_tumoral - hits, cleared

    def tumoral_given_prediction(self) -> tuple[Beta, Beta]:
        """Shares of tumoral patients among those predicted tumoral and those predicted reactive.

        The positive predictive value and the false omission rate. With a Dirichlet prior of PRIOR
        on each cell of the confusion matrix both are beta distributed and independent of the
        number predicted tumoral, so they hold for a file that predicts another number.
        """
        hits, false_alarms, misses, cleared = self.confusion
        return Beta(hits + PRIOR, false_alarms + PRIOR), Beta(misses + PRIOR, cleared + PRIOR)

    def positive_rate(self) -> Beta:
        """Share of patients predicted tumoral."""
        hits, false_alarms, misses, cleared = self.confusion
        return Beta(hits + false_alarms + 2 * PRIOR, misses + cleared + 2 * PRIOR)


def pair_shares(
    a: OutOfFold,
    b: OutOfFold,
    disagreement: float,
    measured: tuple[Joint, Joint] | None = None,
) -> tuple[Beta, Beta, Beta, Beta]:
    """Shares of tumoral patients among those predicted tumoral by both files, A, B and neither.

    measured: how often both, A, B or none was right out of fold on tumoral and on reactive
    patients, where that is known. Else it is inferred from `disagreement`, the share of the test
    patients with different predictions: the files are taken to have disagreed as often out of
    fold, in proportion to what independent errors would give for each label. So few patients stand
    behind the lead of one file: with 3 of 42 in disagreement and an effective sample size of 121,
    about 9, and the shares are as uncertain as 9 patients are.
    """
    share = (a.tumoral_share + b.tumoral_share) / 2
    size = min(a.effective_size, b.effective_size)
    tumoral, reactive = measured or _inferred(a, b, share, disagreement)
    # Cells: both right, A alone, B alone, none. Two of them together are one cell of the confusion
    # matrix of one file, which has PRIOR.
    both_t, a_t, b_t, none_t = (share * size * cell + PRIOR / 2 for cell in tumoral)
    both_r, a_r, b_r, none_r = ((1 - share) * size * cell + PRIOR / 2 for cell in reactive)
    # A tumoral patient whom A alone predicts right is predicted tumoral by A alone; a reactive
    # patient whom B alone predicts right is as well.
    return Beta(both_t, none_r), Beta(a_t, b_r), Beta(b_t, a_r), Beta(none_t, both_r)


def _inferred(a: OutOfFold, b: OutOfFold, share: float, disagreement: float) -> tuple[Joint, Joint]:
    """The joint outcomes that this disagreement implies, on tumoral and on reactive patients."""
    recalls, specificities = (a.recall, b.recall), (a.specificity, b.specificity)
    independent = share * _one_correct(*recalls) + (1 - share) * _one_correct(*specificities)
    scale = disagreement / independent if independent > 0 else 1.0
    return _joint_correct(*recalls, scale), _joint_correct(*specificities, scale)


def _one_correct(a: float, b: float) -> float:
    """Probability that exactly one file is right, with independent errors."""
    return a * (1 - b) + b * (1 - a)


def _joint_correct(a: float, b: float, scale: float) -> Joint:
    """Shares of one label's patients on whom both are right, A alone, B alone, none.

    a, b: accuracy of each file on this label; scale: disagreement relative to independent errors.
    """
    # The margins a and b allow no less disagreement than |a - b| and no more than the last two.
    differ = min(max(scale * _one_correct(a, b), abs(a - b)), a + b, 2 - a - b)
    return (
        (a + b - differ) / 2,
        (differ + a - b) / 2,
        (differ - a + b) / 2,
        1 - (a + b + differ) / 2,
    )
