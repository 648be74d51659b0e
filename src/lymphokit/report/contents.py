"""Contents of the report: its chapters, in the order of the challenge report, and what each shows.

Captions are the files of workflow/report/, by name.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A part of a chapter: figures and a table under one caption.

    caption: name of the caption's file. figures: names of images in figures/, or how the names
    start, as where there is one a fold. alt: what the figures show, for readers who do not see
    them. table: path below results/<cohort>/. left_out: columns of it that are not shown. command:
    what makes an entry that the main job does not make.
    """

    title: str
    caption: str
    figures: tuple[str, ...] = ()
    alt: str = ""
    table: str = ""
    left_out: tuple[str, ...] = ()
    command: str = ""

    def has_figure(self, stem: str) -> bool:
        """Whether a figure of this name belongs here."""
        return any(
            stem == name or (name.endswith("_") and stem.startswith(name)) for name in self.figures
        )


@dataclass(frozen=True)
class Chapter:
    """A chapter of the report; `anchor` is its id on the page, `short` its name in the menu."""

    anchor: str
    short: str
    title: str
    entries: tuple[Entry, ...]


PATIENTS = Chapter(
    "cohort",
    "Cohort",
    "Patients and their cells",
    (
        Entry("Age by label", "age", ("age",), "Histograms of age for each label"),
        Entry(
            "Lymphocyte count by label",
            "lymphocytes",
            ("lymphocytes",),
            "Histograms of the lymphocyte count for each label, on a logarithmic axis",
        ),
        Entry("Cells", "cells", ("cells",), "Photographs of cells, a row a patient"),
        Entry(
            "Segmentation",
            "segmentation",
            ("segmentation",),
            "Cells as photographed, their saturation, their masks, and what is kept",
        ),
    ),
)
FEATURES = Chapter(
    "features",
    "Features",
    "Features",
    (
        Entry(
            "Autoencoder",
            "reconstruction",
            ("reconstruction_",),
            "Images of cells above their reconstructions",
        ),
        Entry(
            "Blood cells of known type",
            "blood_cells",
            ("blood_cells",),
            "Confusion matrix of types of blood cells",
            command="snakemake approaches",
        ),
        Entry(
            "Cell types",
            "cell_types",
            ("cell_types_",),
            "Typical cells of each type, and the share of patients' cells that are of it",
        ),
    ),
)
PSEUDO_LABELS = Chapter(
    "labelled",
    "Labelled cells",
    "Labelled cells",
    (
        Entry(
            "Labelled cells",
            "labelled_cells",
            ("labelled_cells",),
            "Healthy and malignant cells with known labels",
        ),
        Entry(
            "Starting networks",
            "starting_networks",
            ("starting_networks",),
            "Accuracy on held-out labelled cells over the epochs of each network",
            command="snakemake starting_networks",
        ),
        Entry(
            "Stain matching", "stain", ("stain",), "Cells before and after their colours are moved"
        ),
    ),
)
MULTIPLE_INSTANCES = Chapter(
    "mil",
    "MIL",
    "Multiple-instance learning",
    (
        Entry(
            "Ablation of D-MIL",
            "ablation",
            table="ablation/table.csv",
            command="snakemake ablation",
        ),
        Entry(
            "Learning curves of D-MIL",
            "curves",
            ("curve_",),
            "Learning curves of training and validation over the epochs",
            command="snakemake ablation",
        ),
        Entry(
            "Preprocessing of MI-SVM",
            "preprocessing",
            table="preprocessing/table.csv",
            command="snakemake preprocessing",
        ),
        Entry(
            "Instance-level networks",
            "instance_comparison",
            table="instance_comparison/table.csv",
            command="snakemake instance_comparison",
        ),
        Entry(
            "One-class SVM",
            "margins",
            ("margins_",),
            "Histograms of the margins of cells of reactive and of tumoral patients",
            command="snakemake approaches",
        ),
    ),
)
SCORES = Chapter(
    "scores",
    "Scores",
    "Scores",
    (
        Entry(
            "Every model and blend",
            "scores",
            ("scores",),
            "Balanced accuracy and AUC of every model with intervals; the table has the numbers",
            "scores.csv",
            ("features", "n_patients"),
        ),
        Entry("ROC curves", "roc", ("roc",), "Receiver operating characteristic of the models"),
        Entry(
            "Every approach of the report",
            "approaches",
            table="approaches.csv",
            left_out=("precision", "recall", "n_patients"),
            command="snakemake approaches",
        ),
    ),
)
COMPARISONS = Chapter(
    "comparisons",
    "Comparisons",
    "Comparisons",
    (
        Entry(
            "Against the reference",
            "comparison",
            ("comparison",),
            "Paired differences of scores to the reference, with intervals",
            "comparisons.csv",
            ("n_patients", "reference"),
        ),
    ),
)
TRUST = Chapter(
    "trust",
    "Trust",
    "Can it be believed?",
    (
        Entry(
            "Confounders",
            "confounders",
            ("confounders",),
            "AUC of probes of each candidate confounder, with intervals and chance",
            "confounders.csv",
            ("n_patients", "varies", "family"),
        ),
        Entry("Column by column", "confounder_columns", table="confounders/columns.csv"),
        Entry("Number of images", "bag_size", table="confounders/bag_size.csv"),
        Entry(
            "Stain test",
            "stain_test",
            ("stain_test",),
            "Scores of the image models with and without the colours of glass and red cells",
        ),
        Entry(
            "Image models and what they add",
            "image_models",
            table="image_models.csv",
            command="snakemake image_models",
        ),
        Entry(
            "Permutation test",
            "permutation",
            ("permutation",),
            "Scores after shuffles of labels and images beside the real score",
            "permutation/table.csv",
            command="snakemake permutation",
        ),
        Entry(
            "Spread over drawings of the folds",
            "spread",
            ("spread",),
            "Scores of single splits and of repeated folds",
            "spread/table.csv",
            command="snakemake spread",
        ),
        Entry(
            "Draws of cells",
            "cell_draws",
            ("cell_draws",),
            "Scores with fewer cells of each patient",
            "cell_draws/summary.csv",
            command="snakemake cell_draws",
        ),
    ),
)
CALIBRATION = Chapter(
    "calibration",
    "Calibration",
    "Calibration and referral",
    (
        Entry(
            "Reliability",
            "reliability",
            ("reliability",),
            "Predicted probability against the share of tumoral patients",
            "calibration.csv",
            ("n_patients",),
        ),
        Entry(
            "Referral",
            "referral",
            ("referral",),
            "Accuracy among the called patients and cost, against the share referred",
            "referral.csv",
            ("n_patients", "n_tumoral", "called_tumoral", "called_reactive"),
        ),
    ),
)
ROUNDS = Chapter(
    "rounds",
    "Rounds",
    "Rounds of pseudo-labelling",
    (
        Entry(
            "Round by round",
            "rounds",
            ("rounds",),
            "Probability of the added cells, accuracy on labelled cells and AUC over the rounds",
        ),
        Entry(
            "The cells that were added",
            "gallery",
            ("added_",),
            "The cells that each round added as positive and as negative",
        ),
    ),
)
CHAPTERS = (
    *(PATIENTS, FEATURES, PSEUDO_LABELS, MULTIPLE_INSTANCES, SCORES),
    *(COMPARISONS, TRUST, CALIBRATION, ROUNDS),
)


def optional_files(results: Path) -> list[Path]:
    """The tables and figures that are on disk below the results of a cohort, of entries with a
    command of their studies; the main job makes none of them.
    """
    optional = [entry for chapter in CHAPTERS for entry in chapter.entries if entry.command]
    tables = (results / entry.table for entry in optional if entry.table)
    figures = sorted((results / "figures").glob("*.*"))
    named = (path for path in figures if any(entry.has_figure(path.stem) for entry in optional))
    return [path for path in _once([*tables, *named]) if path.is_file()]


def _once(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
