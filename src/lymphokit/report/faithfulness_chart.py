"""Chart: sufficiency and necessity of every model beside random cells, as an inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import Any

ROW, TOP, NAMES, PANEL, GAP = 26, 40, 290, 300, 40
_NARROWEST = 0.2  # range of an axis
_PANELS = (
    ("share", "random_share", "Fewest cells that keep the call, share of all"),
    ("fall", "random_fall", "Fall of the call's probability without them"),
)


@dataclass(frozen=True)
class Mark:
    """A model in a panel, in pixels: its value with an interval, and that of random cells."""

    low: float
    value: float
    high: float
    random: float


@dataclass(frozen=True)
class Panel:
    """A panel of the chart: its title, its left edge, its ticks, a mark or none for each row."""

    title: str
    left: float
    ticks: tuple[tuple[float, str], ...]
    marks: tuple[Mark | None, ...]


@dataclass(frozen=True)
class Chart:
    """The chart as the template draws it."""

    names: tuple[str, ...]
    panels: tuple[Panel, ...]

    @property
    def names_end(self) -> int:
        """Right edge of the names in pixels."""
        return NAMES - 12

    @property
    def height(self) -> int:
        """Height in pixels."""
        return TOP + ROW * len(self.names) + 30

    @property
    def width(self) -> int:
        """Width in pixels."""
        return NAMES + 2 * PANEL + GAP + 30


def faithfulness_chart(rows: Sequence[dict[str, Any]]) -> Chart:
    """The chart of rows of `faithfulness.summary`, each with a `name`."""
    panels = [
        _panel(rows, *named, left=NAMES + number * (PANEL + GAP))
        for number, named in enumerate(_PANELS)
    ]
    return Chart(tuple(str(row["name"]) for row in rows), tuple(panels))


def _panel(
    rows: Sequence[dict[str, Any]], name: str, random: str, title: str, *, left: float
) -> Panel:
    keys = (f"{name}_low", name, f"{name}_high", random)
    found = [[float(row[key]) for key in keys] for row in rows]
    present = [value for row in found for value in row if isfinite(value)]
    least, most = min([0.0, *present]), max([_NARROWEST, *present])

    def place(value: float) -> float:
        return round(left + PANEL * (value - least) / (most - least), 1)

    marks = [Mark(*map(place, row)) if all(map(isfinite, row)) else None for row in found]
    step = 0.1 if most - least <= 6 * 0.1 else 0.2
    ticks = [round(step * tick, 1) for tick in range(ceil(least / step), floor(most / step) + 1)]
    return Panel(title, left, tuple((place(tick), f"{tick:g}") for tick in ticks), tuple(marks))
