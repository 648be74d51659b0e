"""The sentences and terminal tables of `lymphokit compare`."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from lymphokit.leaderboard.compare import Comparison
from lymphokit.leaderboard.distributions import LEVEL, Distribution

LABELS = {0: "[blue]reactive[/]", 1: "[red]tumoral[/]"}
LIKELY = 0.8  # least probability of being ahead that is called likely


def report(comparison: Comparison) -> Iterator[RenderableType]:
    """Everything that `lymphokit compare` prints, the conclusion first."""
    yield f"[bold]{summary(comparison)}[/]\n"
    for one in comparison.candidates:
        yield f"{one.letter}  {escape(str(one.file.path))}"
    yield ""
    if len(comparison.contested):
        yield contested_table(comparison)
    yield score_table(comparison)
    for one in comparison.others:
        n_different = int((one.file.labels != comparison.best.file.labels).sum())
        yield (
            f"{comparison.best.letter} against {one.letter}, {private_part(comparison)}: ahead "
            f"{percent(one.lead.p_positive)}, level {percent(one.lead.p_zero)}, behind "
            f"{percent(one.lead.p_negative)}; they differ on {n_different} patients"
        )
    yield from _out_of_fold(comparison)
    yield f"\n{advice(comparison)}\n"
    yield from (f"[dim]- {escape(note)}[/]" for note in comparison.notes)


def _out_of_fold(comparison: Comparison) -> Iterator[str]:
    """The paired tests of the best file against the others whose folders are there."""
    rows = [one.paired.row for one in comparison.others if one.paired]
    if rows:
        # scipy, which the import takes, takes longer than all else here.
        from lymphokit.evaluation.paired_comparison import comparison_sentence

        yield f"\nOut of fold, on the same {rows[0]['n_patients']} patients:"
        yield from (f"  {escape(comparison_sentence(row))}" for row in rows)


def summary(comparison: Comparison) -> str:
    """Conclude in one sentence whether the best file is better than the others."""
    n, n_contested = len(comparison.patients), len(comparison.contested)
    if not n_contested:
        return f"The predictions agree on all {n} patients: every board gives the files one score."
    likely = [one.letter for one in comparison.others if one.lead.p_positive >= LIKELY]
    unclear = [one.letter for one in comparison.others if one.letter not in likely]
    best, findings = comparison.best.letter, []
    if likely:
        findings.append(f"{best} is likely better than {', '.join(likely)}")
    if unclear:
        findings.append(f"not enough to tell whether {best} is better than {', '.join(unclear)}")
    return f"They differ on {n_contested} of {n} patients: {'; '.join(findings)}."


def contested_table(comparison: Comparison) -> Table:
    """Tabulate the predictions on the patients where they differ."""
    n_agreed = len(comparison.patients) - len(comparison.contested)
    table = Table("patient", title=f"All agree on {n_agreed} of {len(comparison.patients)}, but")
    for one in comparison.candidates:
        table.add_column(one.letter)
    for place in comparison.contested:
        labels = comparison.labels[:, place].tolist()
        table.add_row(escape(comparison.patients[place]), *(LABELS[label] for label in labels))
    return table


def score_table(comparison: Comparison) -> Table:
    """Tabulate the out-of-fold score, the scores to expect on the board, and the public score."""
    table = Table(
        "",
        "out of fold",
        f"public {comparison.n_public}",
        "score",
        f"private {comparison.n_private}",
        title="Balanced accuracy, out of fold and to expect on the board",
        caption=f"n: effective sample size; brackets: {LEVEL:.0%} interval, for the chance in the "
        "test patients and the uncertainty of the out-of-fold score",
    )
    for one in comparison.candidates:
        table.add_row(
            one.letter,
            f"{one.figures.balanced_accuracy:.2f}, n = {one.figures.effective_size:.0f}",
            _interval(one.public),
            "" if math.isnan(one.public_score) else f"{one.public_score:.2f}",
            _interval(one.private),
        )
    return table


def private_part(comparison: Comparison) -> str:
    """Name the part of the test set on which leads decide."""
    given = ", given the public scores" if comparison.given_public else ""
    return f"on the private {comparison.n_private} patients{given}"


def advice(comparison: Comparison) -> str:
    """Advise which two files to select for the final board."""
    first, second = comparison.best, comparison.second
    mean = first.private.mean
    return (
        f"Which two to keep: {first.letter} and {second.letter}. {first.letter} is expected at "
        f"{mean:.2f} on the private board, the better of the two at {mean + second.gain:.2f}."
    )


def percent(probability: float) -> str:
    """Format a whole percentage; never 0% or 100% for what is possible or uncertain."""
    if 0 < probability < 0.01:
        return "under 1%"
    return "over 99%" if 0.99 < probability < 1 - 1e-9 else f"{probability:.0%}"


def _interval(scores: Distribution) -> str:
    low, high = scores.interval()
    return f"{scores.mean:.2f} \\[{low:.2f}, {high:.2f}]"
