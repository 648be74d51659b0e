"""Read the files of a finished run and apply all checks to them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lymphokit.arrays import open_array
from lymphokit.audit.choice_checks import BlendRecord, check_blends, check_thresholds, with_blends
from lymphokit.audit.digest_checks import check_digests
from lymphokit.audit.findings import Check, raise_on_findings
from lymphokit.audit.fold_checks import check_folds, check_predictions
from lymphokit.audit.image_checks import check_images
from lymphokit.audit.pseudo_label_checks import PseudoLabelRecord, check_pseudo_labels
from lymphokit.audit.record_checks import check_features, check_records
from lymphokit.cohort.tables import read_cells, read_folds, read_patients, read_table
from lymphokit.ensemble.fold import Recipe
from lymphokit.files import read_json
from lymphokit.provenance import file_sha256
from lymphokit.pseudo_labels.state import read_state

Content = TypeVar("Content")


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of the workflow: its folder, results/<cohort>, and its settings.

    models: their names; series: of rounds of pseudo-labelling that a model reads, each with the
    most cells of each label that its round 0 drew, None where it learnt from labelled cells;
    sizes: cells of each label that the rounds add; exact: whether every round had to add so many.
    """

    home: Path
    models: Sequence[str]
    series: Mapping[str, int | None]
    sizes: Sequence[int]
    exact: bool

    def of_models(
        self, folds: Sequence[int], file: str, read: Callable[[Path], Content]
    ) -> dict[tuple[int, str], Content]:
        """The file of every model in every fold."""
        return {
            (fold, model): read(self.home / f"fold{fold}" / model / file)
            for fold in folds
            for model in self.models
        }

    def blends(self, fold: int) -> BlendRecord:
        """The files of the blends of one fold."""
        home = self.home / f"fold{fold}" / "blends"
        chosen = _read_optional(home / "chosen.json") or {}
        return BlendRecord(read_table(home / "predictions.csv"), chosen)

    def pseudo_labels(self, fold: int, series: str) -> PseudoLabelRecord:
        """The files of a series of rounds of one fold."""
        home, drawn = self.home / f"fold{fold}" / series, self.series[series]
        rounds = [home / f"round{number}" for number in range(len(self.sizes) + 1)]
        added, stain = rounds[-1] / "added.csv", home / "stain.json"
        return PseudoLabelRecord(
            _read_optional(home / "lineage.json"),
            read_state(added, rounds[-1] / "scores.npz").added,
            file_sha256(added),
            [read_json(step / "record.json") for step in rounds],
            read_json(stain, "patients")["patients"] if drawn is None else [],
            read_state(home / "last/added.csv", home / "last/scores.npz"),
            open_array(self.home / f"fold{fold}/features/{series}.npy")[:, 0],
            drawn,
        )


def _read_optional(path: Path) -> dict[str, Any] | None:
    """The content of a JSON file, None without the file. Raises LymphokitError for no JSON."""
    return read_json(path) if path.exists() else None


def run_checks(
    run: FinishedRun, files: Iterable[str], **settings: Any
) -> tuple[list[Check], list[dict[str, Any]]]:
    """All checks of a finished run before a submission is written, and the accepted duplicates.

    files: all files that the checks read; settings: those of `check_contents`.
    """
    digests = check_digests(files, run.home)
    try:
        checks, accepted = check_contents(run, **settings)
    except Exception:
        raise_on_findings([digests])  # what a damaged file ends in says less than its digest
        raise
    return [*checks, digests], accepted


def check_contents(
    run: FinishedRun,
    *,
    known_duplicates: Sequence[dict[str, Any]],
    threshold: str | float,
    recipes: Mapping[str, Recipe],
) -> tuple[list[Check], list[dict[str, Any]]]:
    """All checks of what the files of a run say, and the accepted duplicates.

    known_duplicates: `audit.known_duplicates`; threshold, recipes: the settings of the run.
    """
    patients = read_patients(run.home / "cohort/patients.csv")
    cells = read_cells(run.home / "cohort/cells.csv")
    folds, decisions = read_folds(run.home / "folds.csv"), read_table(run.home / "decisions.csv")
    numbers = sorted(set(folds["fold"]))
    predictions = run.of_models(numbers, "predictions.csv", read_table)
    records = run.of_models(numbers, "record.json", _read_optional)
    blends = {fold: run.blends(fold) for fold in numbers}
    pseudo_labels = {
        (fold, series): run.pseudo_labels(fold, series) for fold in numbers for series in run.series
    }
    duplicates = read_json(run.home / "imaging/duplicates.json", "n_candidates")
    images, accepted = check_images(
        read_table(run.home / "imaging/duplicates.csv"),
        cells,
        patients,
        n_candidates=duplicates["n_candidates"],
        known=known_duplicates,
    )
    all_predictions = with_blends(predictions, blends)
    checks = [
        check_folds(folds, patients),
        images,
        check_predictions(all_predictions, folds, patients),
        check_records(records, folds, patients),
        check_features(records),
        check_pseudo_labels(
            pseudo_labels, folds, patients, cells, sizes=run.sizes, exact=run.exact
        ),
        check_thresholds(all_predictions, decisions, threshold),
        check_blends(predictions, blends, patients, recipes=recipes, rule=threshold),
    ]
    return checks, accepted
