"""Entries of chapters filled in: figures embedded, tables as texts, captions with their numbers."""

import re
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from lymphokit.cohort.tables import read_table
from lymphokit.report import thumbnails
from lymphokit.report.contents import Chapter, Entry
from lymphokit.report.run_files import Run
from lymphokit.report.shown_tables import ShownTable, shown_table


@dataclass(frozen=True)
class ShownFigure:
    """A figure as the page embeds it, its width and height in pixels."""

    uri: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class ShownEntry:
    """An entry as the page shows it; `command` makes what is missing, empty where nothing is."""

    title: str
    caption: Markup
    figures: tuple[ShownFigure, ...]
    table: ShownTable | None
    path: str
    command: str


def shown_entries(chapter: Chapter, run: Run, submitted: str) -> list[ShownEntry]:
    """The entries of a chapter that have content, or a command that makes it."""
    shown = [_entry(entry, run, submitted) for entry in chapter.entries]
    return [entry for entry in shown if entry.figures or entry.table or entry.command]


def _entry(entry: Entry, run: Run, submitted: str) -> ShownEntry:
    path, table = run.results / entry.table, None
    if entry.table and path in run.available:
        table = shown_table(read_table(path), left_out=entry.left_out, submitted=submitted)
    figures = tuple(
        ShownFigure(*thumbnails.figure(file), alt=f"{entry.alt} ({file.stem})")
        for file in sorted(run.available)
        if file.parent == run.results / "figures" and entry.has_figure(file.stem)
    )
    command = "" if figures or table else entry.command
    return ShownEntry(entry.title, caption(run, entry.caption), figures, table, str(path), command)


def caption(run: Run, name: str) -> Markup:
    """A caption, its settings filled in; text in backquotes becomes code."""
    text = (run.captions / f"{name}.rst").read_text()
    template = Environment(autoescape=False, undefined=StrictUndefined).from_string(text)
    filled = str(escape(template.render(config=run.settings, cohort=run.cohort)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", filled))
