"""All sentences and terminal tables of `lymphokit compare` and `lymphokit board`."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from lymphokit.leaderboard.board import Board
from lymphokit.leaderboard.compare import (
    ALMOST_SURE,
    LIKELY,
    NEGLIGIBLE_GAIN,
    Comparison,
    Pair,
    lead_bounds,
)
from lymphokit.leaderboard.distributions import LEVEL, Distribution
from lymphokit.leaderboard.records import Note
from lymphokit.submission.ledger import BOARD

NAMES = {0: "[blue]reactive[/]", 1: "[red]tumoral[/]"}
DIGITS = {0: "[blue]0[/]", 1: "[red]1[/]"}
MAX_NAMED_FILES = 6  # with more, labels are digits and sentences stop
MAX_PATIENTS = 42  # rows of a table
MAX_FILE_NAME = 40  # characters of a file name on one line
HALF_DIGIT = 0.005  # half of the last decimal that is shown
UNDECIDED = "not enough to tell"
BOARD_NAMES = {"board_public": "public", "board_private": "private"}

# Sentences of `records.Note`, by kind.
NOTES = {
    "not_in_ledger": "{file} is not in {ledger}",
    "changed": "{file} differs from the file of this name in {ledger}: it was changed since, so "
    "its out-of-fold score is unknown",
    "renamed": "{file} is in {ledger} under the name {other}: compare that file",
    "no_score_in_ledger": "{ledger} has no out-of-fold score of {file}",
    "no_figures": "no out-of-fold score of {files}: taken to be as good as the others",
    "no_figures_at_all": "no out-of-fold score of any file: all are taken to be equally good "
    "(give --oof, or name the --ledger)",
    "no_effective_size": "the effective sample size behind the score of {files} is unknown, taken "
    "to be {n}, the size of the test set (give --oof-patients)",
    "share_from_option": "{share:.0%} of the test patients are expected to be tumoral "
    "(--tumoral-share)",
    "share_from_ledger": "{share:.0%} of the test patients are expected to be tumoral, as among "
    "the training patients (from the ledger)",
    "share_from_files": "{share:.0%} of the test patients are expected to be tumoral, as many as "
    "the files predict; better, give --tumoral-share, the share in training",
    "public_incomplete": "the public scores are used once every file has one",
    "public_impossible": "no labels of {n} public patients give the public score {scores}, so "
    "public scores are ignored: has the public part another size (--public), or a score a typo?",
}


def report(comparison: Comparison) -> Iterator[RenderableType]:
    """Everything that `lymphokit compare` prints, the conclusion first."""
    yield f"[bold]{summary(comparison)}[/]\n"
    for one in comparison.candidates:
        yield f"{one.letter}  {escape(str(one.file.path))}"
    yield ""
    if len(comparison.contested):
        yield contested_table(comparison)
    if comparison.candidates[0].scores:
        yield score_table(comparison)
    if len(comparison.candidates) == 2:
        yield "\n" + "\n".join(pair_lines(comparison, comparison.pairs[0])) + "\n"
    else:
        yield lead_table(comparison)
    yield advice(comparison) + "\n"
    yield "[dim]" + "\n".join(f"- {escape(line)}" for line in notes(comparison)) + "[/]"


def summary(comparison: Comparison) -> str:
    """Conclude in one sentence whether one file is better."""
    n, n_contested = len(comparison.patients), len(comparison.contested)
    if not n_contested:
        return f"The predictions agree on all {n} patients: every board gives the files one score."
    differ = f"They differ on {n_contested} of {n} patients"
    if len(comparison.candidates) == 2:
        pair = comparison.pairs[0]
        return f"{differ}: {_final_result(comparison, pair) or verdict(comparison, pair)}."
    likely = [
        f"{better} than {worse}"
        for better, worse, lead in (_ranked(comparison, pair) for pair in comparison.pairs)
        if lead.p_positive >= LIKELY
    ]
    if not likely:
        return f"{differ}: {UNDECIDED} which is better, for any two of them."
    n_more = len(likely) - MAX_NAMED_FILES
    more = f" and {n_more} more" if n_more > 0 else ""
    rest = f"; {UNDECIDED} about the others" if len(likely) < len(comparison.pairs) else ""
    return f"{differ}. Likely the better: {', '.join(likely[:MAX_NAMED_FILES])}{more}{rest}."


def verdict(comparison: Comparison, pair: Pair) -> str:
    """State which of two files is better, with the probabilities."""
    best, _, lead = _ranked(comparison, pair)
    chances = (
        f"{percent(lead.p_positive)} that {best} is ahead, "
        f"{percent(lead.p_negative)} that it is behind"
    )
    if lead.p_positive >= ALMOST_SURE:
        return f"{best} is almost surely better ({chances})"
    if lead.p_positive >= LIKELY:
        return f"{best} is likely better, not surely ({chances})"
    return f"{UNDECIDED} which is better ({chances})"


def contested_table(comparison: Comparison) -> Table:
    """Tabulate the predictions on patients where they differ."""
    n, contested = len(comparison.patients), comparison.contested
    short = len(comparison.candidates) > MAX_NAMED_FILES
    n_more = len(contested) - MAX_PATIENTS
    table = Table(
        title=f"All agree on {n - len(contested)} of {n}, but",
        caption=(f"and {n_more} more; " if n_more > 0 else "")
        + ("1 tumoral, 0 reactive" if short else ""),
    )
    _add_columns(table, "patient", *(one.letter for one in comparison.candidates))
    for place in contested[:MAX_PATIENTS]:
        labels = comparison.labels[:, place].tolist()
        cells = [(DIGITS if short else NAMES)[label] for label in labels]
        table.add_row(escape(comparison.patients[place]), *cells)
    return table


def score_table(comparison: Comparison) -> Table:
    """Tabulate the expected board scores, with intervals, and the board scores if known."""
    table = Table(
        title="Expected balanced accuracy on the board",
        caption=f"mean and {LEVEL:.0%} interval, with the uncertainty of the out-of-fold score; "
        "below, with the out-of-fold score taken as exact",
    )
    _add_columns(table, "", "", *(f"{part} {size}" for part, size in comparison.sizes.items()))
    for one in comparison.candidates:
        figures = one.figures
        out_of_fold = "no score" if figures is None else f"{figures.balanced_accuracy:.2f}"
        boards = [
            "" if math.isnan(score) else f"{score:.2f}" for score in (one.public, one.private)
        ]
        table.add_row(
            one.letter, f"{out_of_fold} out of fold", *map(_interval, one.scores.values())
        )
        exact = map(_interval, one.scores_if_exact.values())
        table.add_row("", "chance alone", *exact, style="dim", end_section=not any(boards))
        if any(boards):
            table.add_row("", "the board", "", *boards, style="bold", end_section=True)
    return table


def pair_lines(comparison: Comparison, pair: Pair) -> Iterator[str]:
    """Describe the lead of one of two files: its bounds, its distribution, its mean."""
    if not pair.n_different:
        return
    n, n_tumoral = len(comparison.patients), comparison.n_tumoral
    a, b = _letters(comparison, pair)
    largest, smallest = lead_bounds(pair.only_a, pair.only_b, n_tumoral, n - n_tumoral)
    yield (
        f"On each of the {pair.n_different} exactly one is right. Whatever their labels, on all "
        f"{n} patients {a} is at most {largest:.2f} ahead of {b} and at most "
        f"{-smallest:.2f} behind, with about {n_tumoral} tumoral and {n - n_tumoral} "
        "reactive patients."
    )
    for part, size in comparison.sizes.items():
        lead = pair.leads[part]
        name = f"all {size}" if part == "all" else f"the {part} {size}"
        given = ", given the public scores" if part == "private" and comparison.given_public else ""
        yield (
            f"  on {name:14} {a} ahead {percent(lead.p_positive)}, level {percent(lead.p_zero)}, "
            f"{b} ahead {percent(lead.p_negative)}{given}"
        )
    best, other, lead = _ranked(comparison, pair)
    if lead.mean >= HALF_DIGIT:
        yield f"On average {best} is ahead by {lead.mean:.2f}."
        return
    ahead = f"{other} is ahead by {-lead.mean:.2f}" if lead.mean <= -HALF_DIGIT else "neither leads"
    yield (
        f"On average {ahead}: where {best} is ahead it is by less, as one reactive patient weighs "
        "more than one tumoral patient."
    )


def lead_table(comparison: Comparison) -> Table:
    """Tabulate the probability that the file of a row is ahead of the file of a column."""
    table = Table(
        title=f"Chance that the row is ahead of the column, {deciding_part(comparison)}",
        caption="in brackets: patients on whom the two differ; "
        f"from {LIKELY:.0%} likely, from {ALMOST_SURE:.0%} almost sure",
    )
    letters = [one.letter for one in comparison.candidates]
    _add_columns(table, "", *letters, right=True)
    matrix = lead_matrix(comparison)
    for row, name in enumerate(letters):
        cells = []
        for column in range(len(letters)):
            if row == column:
                cells.append("")
                continue
            chance, pair = float(matrix[row, column]), comparison.pair(row, column)
            text = f"{percent(chance)} ({pair.n_different})"
            cells.append(f"[bold]{text}[/]" if chance >= LIKELY else text)
        table.add_row(name, *cells)
    return table


def lead_matrix(comparison: Comparison) -> NDArray[np.float64]:
    """Probability that the file of the row is ahead of that of the column; NaN on the diagonal."""
    n = len(comparison.candidates)
    matrix = np.full((n, n), np.nan)
    for pair in comparison.pairs:
        lead = comparison.deciding_lead(pair)
        matrix[pair.a, pair.b], matrix[pair.b, pair.a] = lead.p_positive, lead.p_negative
    return matrix


def deciding_part(comparison: Comparison) -> str:
    """Name the part of the test set on which leads decide."""
    if comparison.given_public:
        return f"on the private {comparison.sizes['private']}, given the public scores"
    return f"on all {len(comparison.patients)} patients"


def advice(comparison: Comparison) -> str:
    """Advise which two files to select for the final board."""
    if comparison.advice is None:
        return (
            "Which two to keep: unknown without out-of-fold scores; give --oof, or name the "
            "--ledger that has them."
        )
    if not len(comparison.contested):
        return "Which two to keep: one of them, and in the other place a file that differs."
    found = comparison.advice
    first, second = (comparison.candidates[place] for place in (found.first, found.second))
    others = len(comparison.candidates) > 2
    best = f"{first.letter} is the best expected on the private board, {found.mean_of_first:.2f}"
    if not others and found.mean_of_first - second.scores["private"].mean < HALF_DIGIT:
        best = f"Both are expected at {found.mean_of_first:.2f} on the private board"
    if found.gain < NEGLIGIBLE_GAIN:
        which = "any other as second" if others else "both"
        return (
            f"Which two to keep: {first.letter} and {which}; it does not matter. {best}, and no "
            f"second file adds even {NEGLIGIBLE_GAIN} to the better of two."
        )
    n_different = comparison.pair(found.first, found.second).n_different
    keep = f"{first.letter} and {second.letter}" if others else "both, there are two places"
    return (
        f"Which two to keep: {keep}. {best}; {second.letter} differs from it on {n_different} "
        f"patients and may be right where {first.letter} is wrong: the better of the two is "
        f"expected at {found.mean_of_better:.2f}."
        + (f" No other second file adds more to {first.letter}." if others else "")
    )


def notes(comparison: Comparison) -> Iterator[str]:
    """State the sources of the figures and the assumptions."""
    yield from map(format_note, comparison.notes)
    for one in comparison.candidates:
        figures = one.figures
        if figures is not None:
            yield (
                f"{one.letter} out of fold: recall {figures.recall:.2f}, specificity "
                f"{figures.specificity:.2f}, effective sample size "
                f"{figures.effective_size:.0f} patients"
            )
    yield (
        f"the public part is taken to be {comparison.n_public} of {len(comparison.patients)} "
        "patients, drawn at random; the competition's page states its share (--public)"
    )


def format_note(note: Note) -> str:
    """Fill the values of a note in its sentence; lists are joined by `and`."""
    values = {
        name: " and ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in note.values.items()
    }
    return NOTES[note.kind].format(**values)


def percent(probability: float) -> str:
    """Format a whole percentage; never 0% or 100% for what is possible or uncertain."""
    if 0 < probability < 0.01:
        return "under 1%"
    return "over 99%" if 0.99 < probability < 1 - 1e-9 else f"{probability:.0%}"


def board_summary(board: Board) -> str:
    """Conclude in one sentence whether the board scores lie within chance."""
    rows = [
        (row, column) for column in board.scored for _, row in board.scored_rows(column).iterrows()
    ]
    if not rows:
        return (
            f"{board.cohort}: no board score yet. Enter them in the ledger's columns board_public "
            "and board_private, with a decimal point; the table shows what to expect."
        )
    n_outside = sum(bool(row[f"{column}_outside"]) for row, column in rows)
    difference = float(np.mean([row[column] - row["oof"] for row, column in rows]))
    shared = "; all have the same patients, so several outside are one event"
    return (
        f"{board.cohort}: {len(rows) - n_outside} of {len(rows)} board scores lie within chance, "
        f"on average {abs(difference):.2f} {'below' if difference < 0 else 'above'} out of fold"
        f"{shared if n_outside > 1 else ''}."
    )


def board_table(board: Board) -> Table:
    """Tabulate out-of-fold score, expected interval and board score of each submission."""
    table = Table(
        title=f"{board.cohort}: out of fold against the board, {board.n_patients} test patients",
        caption=f"brackets: {LEVEL:.0%} interval expected from the out-of-fold score",
    )
    table.add_column("submission", max_width=MAX_FILE_NAME, overflow="fold")
    names = [f"{BOARD_NAMES[column]} {board.bands[column].n_drawn}" for column in BOARD]
    _add_columns(table, "out of fold", *names, right=True)
    for _, row in board.rows.iterrows():
        cells = [_board_cell(row, column) for column in BOARD]
        table.add_row(escape(str(row["file"])), f"{row['oof']:.2f}", *cells)
    return table


def _board_cell(row: "pd.Series[float]", column: str) -> str:
    """Board score, marked where outside, and the expected interval."""
    expected = f"\\[{row[f'{column}_low']:.2f}, {row[f'{column}_high']:.2f}]"
    if pd.isna(row[column]):
        return expected
    score = f"{row[column]:.2f}"
    return f"{f'[bold red]{score} outside[/]' if row[f'{column}_outside'] else score} {expected}"


def _add_columns(table: Table, first: str, *names: str, right: bool = False) -> None:
    """Add columns that do not wrap, all but the first aligned to the right with `right`."""
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right" if right else "left", no_wrap=True)


def _letters(comparison: Comparison, pair: Pair) -> tuple[str, str]:
    return comparison.candidates[pair.a].letter, comparison.candidates[pair.b].letter


def _ranked(comparison: Comparison, pair: Pair) -> tuple[str, str, Distribution]:
    """Letters of the file that is more likely ahead and of the other, and the lead of the first."""
    lead = comparison.deciding_lead(pair)
    a, b = _letters(comparison, pair)
    if lead.p_positive >= lead.p_negative:
        return a, b, lead
    return b, a, Distribution(-lead.values[::-1], lead.probabilities[::-1])


def _final_result(comparison: Comparison, pair: Pair) -> str:
    """State the result on the private board, empty unless both scores are known."""
    a, b = (comparison.candidates[place] for place in (pair.a, pair.b))
    scores = a.private, b.private
    if any(math.isnan(score) for score in scores):
        return ""
    if abs(scores[0] - scores[1]) < 1e-9:
        return f"level on the private board, {scores[0]:.2f}"
    best, worst = (a, b) if scores[0] > scores[1] else (b, a)
    return (
        f"{best.letter} won on the private board, {best.private:.2f} against "
        f"{worst.private:.2f}; before that, {verdict(comparison, pair)}"
    )


def _interval(scores: Distribution) -> str:
    low, high = scores.interval()
    return f"{scores.mean:.2f} \\[{low:.2f}, {high:.2f}]"
