"""A comparison of submissions in words and small tables: data in, what a terminal shows out."""

import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from lymphokit.leaderboard.agreement import LEVEL
from lymphokit.leaderboard.chances import Distribution
from lymphokit.leaderboard.compare import LIKELY, SURE, TOO_LITTLE, Comparison, Pair

WORDS = {0: "[blue]reactive[/]", 1: "[red]tumoral[/]"}
DIGITS = {0: "[blue]0[/]", 1: "[red]1[/]"}
MOST_IN_WORDS = 6  # files whose labels are written out, each in a column
MOST_PATIENTS = 42  # rows of the table
HALF_A_DIGIT = 0.005  # of a score as it is shown
TOSS_UP = "not enough to tell"


def told(comparison: Comparison) -> Iterator[RenderableType]:
    """All that is said, the answer first."""
    yield f"[bold]{answer(comparison)}[/]\n"
    yield (
        "\n".join(f"{one.letter}  {escape(str(one.file.path))}" for one in comparison.entrants)
        + "\n"
    )
    if len(comparison.contested):
        yield disagreements(comparison)
    if comparison.entrants[0].expected:
        yield expectations(comparison)
    if len(comparison.entrants) == 2:
        yield "\n" + "\n".join(duel(comparison, comparison.pairs[0])) + "\n"
    else:
        yield tournament(comparison)
    yield keeping(comparison) + "\n"
    yield "[dim]" + "\n".join(f"- {escape(note)}" for note in _notes(comparison)) + "[/]"


def answer(comparison: Comparison) -> str:
    """One sentence: do they differ enough to tell which is better?"""
    n, contested = len(comparison.patients), len(comparison.contested)
    if not contested:
        return f"The files say the same of all {n} patients: every board gives them one score."
    differ = f"They differ on {contested} of {n} patients"
    if len(comparison.entrants) == 2:
        pair = comparison.pairs[0]
        scored = _final(comparison, pair)
        return f"{differ}: {scored or verdict(comparison, pair)}."
    likely = [_likely(comparison, pair) for pair in comparison.pairs]
    found = [pair for pair in likely if pair]
    if not found:
        return f"{differ}: {TOSS_UP} which is better, for any two of them."
    rest = f"; {TOSS_UP} about the others" if len(found) < len(likely) else ""
    more = f" and {len(found) - MOST_IN_WORDS} more" if len(found) > MOST_IN_WORDS else ""
    return f"{differ}. Likely the better: {', '.join(found[:MOST_IN_WORDS])}{more}{rest}."


def _likely(comparison: Comparison, pair: Pair) -> str:
    """Who of two is at least likely the better, empty where none is."""
    lead = decisive(comparison, pair)
    a, b = _letters(comparison, pair)
    if max(lead.above, lead.below) < LIKELY:
        return ""
    return f"{a} than {b}" if lead.above > lead.below else f"{b} than {a}"


def verdict(comparison: Comparison, pair: Pair) -> str:
    """Which of two is better, in words that are no surer than the chances."""
    chances = decisive(comparison, pair)
    a, b = _letters(comparison, pair)
    ahead, behind = chances.above, chances.below
    best, chance, other = (a, ahead, behind) if ahead >= behind else (b, behind, ahead)
    numbers = f"{percent(chance)} that {best} is ahead, {percent(other)} that it is behind"
    if chance >= SURE:
        return f"{best} is better, almost surely ({numbers})"
    if chance >= LIKELY:
        return f"{best} is likely the better, not surely ({numbers})"
    return f"{TOSS_UP} which is better ({numbers})"


def decisive(comparison: Comparison, pair: Pair) -> Distribution:
    """The lead that counts: on all patients; once the public board has spoken, on the private."""
    return pair.leads["private" if comparison.after_public else "all"]


def disagreements(comparison: Comparison) -> Table:
    """The patients on whom not all agree, and what each file calls them."""
    n, contested = len(comparison.patients), comparison.contested
    short = len(comparison.entrants) > MOST_IN_WORDS
    table = Table(
        title=f"All agree on {n - len(contested)} of {n}, but",
        caption=_more(len(contested)) + ("1 tumoral, 0 reactive" if short else ""),
    )
    table.add_column("patient", no_wrap=True)
    for entrant in comparison.entrants:
        table.add_column(entrant.letter, no_wrap=True)
    for place in contested[:MOST_PATIENTS]:
        labels = [int(label) for label in comparison.labels[:, place]]
        written = [(DIGITS if short else WORDS)[label] for label in labels]
        table.add_row(escape(comparison.patients[place]), *written)
    return table


def expectations(comparison: Comparison) -> Table:
    """Between which scores each file should come out, on all patients and on either board."""
    n, n_public = len(comparison.patients), comparison.n_public
    table = Table(
        title="Balanced accuracy to expect on the board",
        caption=f"mean, and in brackets what {LEVEL:.0%} of boards would show, the out-of-fold "
        "score being itself uncertain; below, were it exact and only the board's patients chance",
    )
    for name in ("", "", f"all {n}", f"public {n_public}", f"private {n - n_public}"):
        table.add_column(name, no_wrap=True)
    for one in comparison.entrants:
        figures = one.known.figures
        own = "no score" if figures is None else f"{figures.balanced_accuracy:.2f}"
        full = [_range(one.expected[part]) for part in one.expected]
        alone = [_range(one.noise[part]) for part in one.noise]
        said = [_shown(score) for score in (one.known.public, one.known.private)]
        table.add_row(one.letter, f"{own} out of fold", *full)
        table.add_row("", "chance alone", *alone, style="dim", end_section=not any(said))
        if any(said):
            table.add_row("", "the board", "", *said, style="bold", end_section=True)
    return table


def duel(comparison: Comparison, pair: Pair) -> Iterator[str]:
    """Two files against each other: the utmost, the chances on each part, what is behind them."""
    if not pair.differing:
        return
    n, n_public = len(comparison.patients), comparison.n_public
    a, b = _letters(comparison, pair)
    yield (
        f"On each of the {pair.differing} exactly one is right. Whatever their labels are, on all "
        f"{n} {a} comes out at most {pair.most:.2f} ahead of {b} and at most {-pair.least:.2f} "
        f"behind, with about {comparison.n_tumoral} tumoral patients and "
        f"{n - comparison.n_tumoral} reactive ones."
    )
    names = {
        "all": f"all {n}",
        "public": f"the public {n_public}",
        "private": f"the private {n - n_public}",
    }
    for part, name in names.items():
        lead = pair.leads[part]
        since = ", the public scores known" if part == "private" and comparison.after_public else ""
        yield (
            f"  on {name:14} {a} ahead {percent(lead.above)}, level {percent(lead.level)}, "
            f"{b} ahead {percent(lead.below)}{since}"
        )
    yield _mean_lead(comparison, pair)


def tournament(comparison: Comparison) -> Table:
    """The chance that the file of the row is ahead of that of the column."""
    part = "the private part" if comparison.after_public else f"all {len(comparison.patients)}"
    table = Table(
        title=f"Chance that the row is ahead of the column, on {part}",
        caption="in brackets: patients on whom the two differ; "
        f"from {LIKELY:.0%} likely, from {SURE:.0%} almost sure",
    )
    table.add_column("", no_wrap=True)
    for entrant in comparison.entrants:
        table.add_column(entrant.letter, justify="right", no_wrap=True)
    for row, entrant in enumerate(comparison.entrants):
        cells = []
        for column in range(len(comparison.entrants)):
            if row == column:
                cells.append("")
                continue
            pair = comparison.pair(min(row, column), max(row, column))
            lead = decisive(comparison, pair)
            chance = lead.above if row < column else lead.below
            text = f"{percent(chance)} ({pair.differing})"
            cells.append(f"[bold]{text}[/]" if chance >= LIKELY else text)
        table.add_row(entrant.letter, *cells)
    return table


def keeping(comparison: Comparison) -> str:
    """Which two to select for the final board, and why."""
    if comparison.advice is None:
        return (
            "Which two to keep cannot be said without out-of-fold scores: give --oof, or name the "
            "--ledger that has them."
        )
    advice = comparison.advice
    first, second = (comparison.entrants[place].letter for place in (advice.first, advice.second))
    pair = comparison.pair(*sorted((advice.first, advice.second)))
    others = len(comparison.entrants) > 2
    if not len(comparison.contested):
        return "Which two to keep: one of them, and in the other place a file that differs."
    best = f"{first} is the best expected on the private board, {advice.alone:.2f}"
    also = comparison.entrants[advice.second].expected["private"].mean
    if not others and advice.alone - also < HALF_A_DIGIT:
        best = f"Both are expected at {advice.alone:.2f} on the private board"
    if advice.gain < TOO_LITTLE:
        which = "any other as second" if others else "both"
        return (
            f"Which two to keep: {first} and {which}; it does not matter. {best}, and no second "
            f"file adds even {TOO_LITTLE} to the better of two."
        )
    keep = f"{first} and {second}" if others else "both, there are two places"
    return (
        f"Which two to keep: {keep}. {best}; {second} differs from it on {pair.differing} patients "
        f"and may be right where {first} is not: the better of the two is expected at "
        f"{advice.together:.2f}."
        + (f" No other second file adds more to {first}." if others else "")
    )


def percent(chance: float) -> str:
    """A chance as a whole percentage; near 0 and 1, which side of them it is on."""
    if 0 < chance < 0.01:
        return "under 1%"
    return "over 99%" if 0.99 < chance < 1 - 1e-9 else f"{chance:.0%}"


def _final(comparison: Comparison, pair: Pair) -> str:
    """What the private board said, once both scores are in the ledger; it has the last word."""
    a, b = (comparison.entrants[place] for place in (pair.a, pair.b))
    scores = a.known.private, b.known.private
    if any(math.isnan(score) for score in scores):
        return ""
    if abs(scores[0] - scores[1]) < 1e-9:
        return f"level on the private board, {scores[0]:.2f}"
    best, worst = (a, b) if scores[0] > scores[1] else (b, a)
    return (
        f"{best.letter} won on the private board, {best.known.private:.2f} against "
        f"{worst.known.private:.2f}; before that, {verdict(comparison, pair)}"
    )


def _letters(comparison: Comparison, pair: Pair) -> tuple[str, str]:
    return comparison.entrants[pair.a].letter, comparison.entrants[pair.b].letter


def _more(contested: int) -> str:
    more = contested - MOST_PATIENTS
    return f"and {more} more; " if more > 0 else ""


def _mean_lead(comparison: Comparison, pair: Pair) -> str:
    """Who is ahead on average, and why that need not be who is ahead more often."""
    lead = decisive(comparison, pair)
    a, b = _letters(comparison, pair)
    best, other = (a, b) if lead.above >= lead.below else (b, a)
    mean = lead.mean if best == a else -lead.mean
    if mean >= HALF_A_DIGIT:
        return f"On average {best} is ahead by {mean:.2f}."
    so_much = f"{other} is ahead by {-mean:.2f}" if mean <= -HALF_A_DIGIT else "neither is ahead"
    return (
        f"On average {so_much}: where {best} is ahead it is by less, as one reactive patient "
        "weighs more than one tumoral."
    )


def _range(of: Distribution) -> str:
    low, high = of.interval(LEVEL)
    return f"{of.mean:.2f} \\[{low:.2f}, {high:.2f}]"


def _shown(score: float) -> str:
    return "" if math.isnan(score) else f"{score:.2f}"


def _notes(comparison: Comparison) -> Iterator[str]:
    """Where the figures are from and what is assumed."""
    yield from comparison.notes
    for one in comparison.entrants:
        figures = one.known.figures
        if figures is not None:
            yield (
                f"{one.letter} out of fold: recall {figures.recall:.2f}, specificity "
                f"{figures.specificity:.2f}, worth {figures.patients:.0f} independent patients"
            )
    n, n_public = len(comparison.patients), comparison.n_public
    yield (
        f"the public part is taken to be {n_public} of {n} patients, drawn at random; the "
        "competition's page tells its share (--public)"
    )
