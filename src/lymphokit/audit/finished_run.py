"""The files of a finished run, where the workflow puts them, and all checks on them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lymphokit.audit.choice_checks import BlendRecord, check_blends, check_thresholds, with_blends
from lymphokit.audit.findings import Check
from lymphokit.audit.fold_checks import Tables, check_folds, check_predictions
from lymphokit.audit.image_checks import AcceptedPair, check_images
from lymphokit.audit.pseudo_label_checks import PseudoLabelRecord, check_pseudo_labels
from lymphokit.audit.record_checks import Records, check_features, check_records
from lymphokit.cohort.tables import read_table
from lymphokit.ensemble.fold import Recipe
from lymphokit.evaluation.out_of_fold import read_predictions
from lymphokit.provenance import file_sha256
from lymphokit.pseudo_labels.state import read_state


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of the workflow: its folder, results/<cohort>, and what it was to do.

    models: their names; sizes: cells of each label that the rounds of pseudo-labelling add, None
    where no model learns from pseudo-labels; exact: whether every round had to add so many.
    """

    home: Path
    models: Sequence[str]
    sizes: Sequence[int] | None
    exact: bool

    def table(self, name: str) -> pd.DataFrame:
        """A table of the run, patients as text."""
        return read_table(self.home / name)

    def predictions(self, folds: Sequence[int]) -> Tables:
        """predictions.csv of every model in every fold."""
        return {
            (fold, model): read_predictions(self.home / f"fold{fold}/{model}/predictions.csv")
            for fold in folds
            for model in self.models
        }

    def records(self, folds: Sequence[int]) -> Records:
        """record.json of every model in every fold."""
        return {
            (fold, model): read_json(self.home / f"fold{fold}/{model}/record.json")
            for fold in folds
            for model in self.models
        }

    def blends(self, folds: Sequence[int]) -> dict[int, BlendRecord]:
        """What the blends of every fold left behind."""
        return {
            fold: BlendRecord(
                read_predictions(self.home / f"fold{fold}/blends/predictions.csv"),
                read_json(self.home / f"fold{fold}/blends/chosen.json") or {},
            )
            for fold in folds
        }

    def pseudo_labels(self, folds: Sequence[int]) -> dict[int, PseudoLabelRecord]:
        """Files of the pseudo-labelling of every fold."""
        if self.sizes is None:
            return {}
        return {fold: self._fold_files(fold, len(self.sizes)) for fold in folds}

    def _fold_files(self, fold: int, last: int) -> PseudoLabelRecord:
        home = self.home / f"fold{fold}" / "pseudo_label"
        rounds = [home / f"round{number}" for number in range(last + 1)]
        added = rounds[-1] / "added.csv"
        return PseudoLabelRecord(
            read_json(home / "lineage.json"),
            read_state(added, rounds[-1] / "scores.npz").added,
            file_sha256(added),
            [json.loads((step / "record.json").read_text()) for step in rounds],
            json.loads((home / "stain.json").read_text())["patients"],
            read_state(home / "last/added.csv", home / "last/scores.npz"),
            np.load(self.home / f"fold{fold}/features/pseudo_label.npy")[:, 0],
        )


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON file's content, None where there is no such file."""
    return json.loads(path.read_text()) if path.is_file() else None


def run_checks(
    run: FinishedRun,
    *,
    known_duplicates: Sequence[dict[str, Any]],
    threshold: str | float,
    recipes: Mapping[str, Recipe],
) -> tuple[list[Check], list[dict[str, Any]]]:
    """All checks of a finished run before anything is submitted, and the duplicates accepted.

    known_duplicates: `audit.known_duplicates`; threshold, recipes: as the run decided and blended.
    """
    patients, cells = run.table("cohort/patients.csv"), run.table("cohort/cells.csv")
    folds, decisions = run.table("folds.csv"), run.table("decisions.csv")
    numbers = sorted(set(folds["fold"]))
    predictions, blends = run.predictions(numbers), run.blends(numbers)
    records, pseudo_labels = run.records(numbers), run.pseudo_labels(numbers)
    duplicates = json.loads((run.home / "imaging/duplicates.json").read_text())
    images, accepted = check_images(
        run.table("imaging/duplicates.csv"),
        cells,
        patients,
        n_candidates=duplicates["n_candidates"],
        known=AcceptedPair.from_settings(known_duplicates),
    )
    all_predictions = with_blends(predictions, blends)
    checks = [
        check_folds(folds, patients),
        images,
        check_predictions(all_predictions, folds, patients),
        check_records(records, folds, patients),
        check_features(records),
        check_pseudo_labels(
            pseudo_labels, folds, patients, cells, sizes=run.sizes or (), exact=run.exact
        ),
        check_thresholds(all_predictions, decisions, threshold),
        check_blends(predictions, blends, patients, recipes=recipes, rule=threshold),
    ]
    return checks, accepted
