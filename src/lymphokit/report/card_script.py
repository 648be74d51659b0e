"""The data of the cards as JSON in the page, the cells of each patient on one sheet."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from lymphokit.cohort.tables import read_cells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.progress import track
from lymphokit.report import thumbnails
from lymphokit.report.cards import Evidence, most_cells, shown_cells
from lymphokit.report.run_files import Run


def card_script(
    content: Sequence[dict[str, Any]],
    columns: Sequence[str],
    rankings: Sequence[dict[str, Any]],
    run: Run,
    patients: pd.DataFrame,
) -> Markup:
    """The data that the page's script reads, as JSON that no text in it can end or leave.

    content: of `cards.card_data` for the same columns; rankings: of `described`.
    Raises ImageError for an image that cannot be read.
    """
    sheets = dict(_sheets(content, run, patients))
    data = {
        "models": list(columns),
        "rankings": list(rankings),
        "first": _best(rankings, run.table("scores.csv")),
        "side": thumbnails.SIDE,
        "columns": thumbnails.COLUMNS,
        "patients": [card | sheets[card["id"]] for card in content],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def described(
    evidence: Sequence[Evidence], summaries: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What a card needs to know of each order of cells."""
    return [
        {
            "model": each.model,
            "by": each.ranking,
            "neutral": each.neutral,
            "verdict": summary["verdict"],
        }
        for each, summary in zip(evidence, summaries, strict=True)
    ]


def _best(rankings: Sequence[Mapping[str, Any]], scores: pd.DataFrame) -> int:
    """The place of the order of cells that a card starts with: that of the best model."""
    by_model = scores.set_index("model")["auc"]
    found = [float(by_model.loc[each["model"]]) for each in rankings]
    return found.index(max(found)) if found else 0


def _sheets(
    content: Sequence[Mapping[str, Any]], run: Run, patients: pd.DataFrame
) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each patient the sheet of cells, the places of the cells on it, and their file names."""
    cells = read_cells(run.results / "cohort/cells.csv")
    size = int(run.settings["cohort"]["image_size"])
    # A cell fills about half of the width of an image.
    images = ImageFiles(run.raw, cells["path"].tolist(), size, size // 2, side=thumbnails.SIDE)
    starts = patients["n_cells"].cumsum() - patients["n_cells"]
    first = dict(zip(patients["patient"], starts, strict=True))
    most = most_cells(len(patients))
    for card in track(list(content), "cells of patients"):
        places = shown_cells(card, most)
        rows = [int(first[card["id"]]) + place for place in places]
        sheet = thumbnails.sheet([images.image(row) for row in rows])
        names = cells["image"].iloc[rows].tolist()
        yield card["id"], {"sheet": sheet, "shown": places, "images": names}
