"""Docstrings as the pages of the API show them: one line for each argument, error and source.

A docstring names arguments, shapes and errors on lines of their own; Markdown would join them.
"""

import re

import griffe

# `hidden: widths`, `cells (n, d): ascending`, `Raises ValueError where`, `Source: report 5.2`.
_OWN_LINE = re.compile(r"(Raises|Returns|Source|Departs)\b|`?\w+`?( \([^)]*\))?: ")


def with_line_breaks(text: str) -> str:
    """The text with a Markdown line break before each line that must start a new one."""
    lines = text.splitlines()
    breaks = (bool(_OWN_LINE.match(line)) for line in [*lines[1:], ""])
    return "\n".join(
        line + "  " * (broken and bool(line)) for line, broken in zip(lines, breaks, strict=True)
    )


class DocstringLines(griffe.Extension):
    """Apply the line breaks to every docstring."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:  # noqa: D102
        if obj.docstring is not None:
            obj.docstring.value = with_line_breaks(obj.docstring.value)
