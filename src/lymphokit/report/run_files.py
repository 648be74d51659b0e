"""The files of a run that the report reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.cohort.tables import read_table
from lymphokit.provenance import file_sha256


@dataclass(frozen=True)
class Run:
    """Where the results of a run are, and how they were made.

    results: folder of the cohort; files: tables and figures of the main job in it; studies: the
    sha256 of optional tables and figures by their path, used only where that is still their
    content; evidence: cell_scores.csv and subsets.csv of models in folds; neutral: the neutral
    score of each model with scores of cells, where it has one; captions: folder of captions; raw:
    of the images; settings: the configuration; ledger: of submissions; models: without the blends.
    """

    results: Path
    files: Sequence[Path]
    studies: Mapping[str, str]
    evidence: Sequence[Path]
    neutral: Mapping[str, float | None]
    captions: Path
    raw: Path
    settings: Mapping[str, Any]
    ledger: Path
    models: Sequence[str]

    @property
    def cohort(self) -> str:
        """The name of the cohort."""
        return self.results.name

    @cached_property
    def available(self) -> frozenset[Path]:
        """The files that the page may show."""
        studies = (Path(path) for path, sha256 in self.studies.items() if _is_still(path, sha256))
        return frozenset([*self.files, *studies])

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run, by its path below the results of the cohort."""
        return read_table(self.results / name)

    def evidence_tables(self) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
        """Scores of cells and subsets of every model, of all its folds."""
        tables: dict[str, dict[str, list[pd.DataFrame]]] = {}
        for path in self.evidence:  # fold{k}/{model}/{table}.csv
            by_name = tables.setdefault(path.parent.name, {})
            by_name.setdefault(path.stem, []).append(read_table(path))
        return {
            model: (
                pd.concat(by_name["cell_scores"], ignore_index=True),
                pd.concat(by_name["subsets"], ignore_index=True),
            )
            for model, by_name in tables.items()
        }


def _is_still(path: str, sha256: str) -> bool:
    """Whether a file has the content it had when the run began; another job may be writing it."""
    return Path(path).is_file() and file_sha256(Path(path)) == sha256
