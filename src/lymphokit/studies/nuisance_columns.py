"""What could give a label away: a few columns each, of medicine or of none.

Artefacts reach the classifiers of the confounder page and no model: they are audited there so
that models need not meet them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, mannwhitneyu

from lymphokit.studies.probes import Learner, column_aucs

# mixed: it holds the cells too, as the size of a file does, which says how smooth they look.
Family = Literal["medicine", "mixed", "artefact"]
CLINICAL = ("age_years", "log_lymphocytes")


@dataclass(frozen=True)
class Suspect:
    """A name, the columns it stands for, and how they may tell: by a trend, or by neighbours.

    Neighbours follow blocks of any number, as where a table was put together from several.
    """

    name: str
    family: Family
    columns: tuple[str, ...]
    by: Learner = "trend"

    def beside_medicine(self) -> "Suspect":
        """Its columns together with age and count."""
        name = f"{self.name}, age and count"
        return Suspect(name, self.family, (*CLINICAL, *self.columns), self.by)


def _stain(part: str) -> tuple[str, ...]:
    return tuple(
        f"{part}_{channel}_{statistic}"
        for channel in ("lightness", "green_to_red", "blue_to_yellow")
        for statistic in ("mean", "contrast", "spread")
    )


_DATES = ("date_with_dashes", "date_year_first")
_FORMAT = ("width_px", "height_px", "jpeg_quantisation")

MEDICINE = Suspect("age and count", "medicine", CLINICAL)
SUSPECTS: tuple[Suspect, ...] = (
    MEDICINE,
    Suspect("lymphocyte count", "medicine", ("log_lymphocytes",)),
    Suspect("age", "medicine", ("age_years",)),
    Suspect("gender", "medicine", ("is_male",)),
    Suspect("stain: whole image", "mixed", _stain("image")),
    Suspect("stain: glass and red cells", "mixed", _stain("ground")),
    Suspect("file size", "mixed", ("file_bytes_mean", "file_bytes_spread")),
    Suspect("row order", "artefact", ("row",)),
    Suspect("rows nearby", "artefact", ("row",), "neighbours"),
    Suspect("order of ids", "artefact", ("place_of_id",)),
    Suspect("date format", "artefact", _DATES),
    Suspect("number of images", "artefact", ("n_images",)),
    Suspect("image size and JPEG tables", "artefact", _FORMAT),
    Suspect("stain: bare glass", "artefact", _stain("glass")),
)
# What a model could see without looking at a cell, for train against test.
TOGETHER = Suspect(
    "images, glass, age and count",
    "artefact",
    (*CLINICAL, "n_images", *_FORMAT, *_stain("glass")),
)


def suspect_table(patients: pd.DataFrame, artefacts: pd.DataFrame) -> pd.DataFrame:
    """The columns of all suspects, a row a patient of patients.csv in its order.

    Raises ValueError unless every patient has one row of artefacts.
    """
    if sorted(artefacts["patient"]) != sorted(patients["patient"]):
        raise ValueError("the artefacts are not those of these patients: one row each is needed")
    medicine = patients[["patient", "part", "label", "age_years"]].assign(
        log_lymphocytes=np.log(patients["lymphocytes_giga_per_litre"]),
        is_male=(patients["gender"] == "M").astype(int),
    )
    return medicine.merge(artefacts, on="patient", validate="1:1")


def varying(table: pd.DataFrame, suspects: Sequence[Suspect]) -> list[Suspect]:
    """The suspects of which a column is not the same for everybody in the table."""
    return [each for each in suspects if (table[list(each.columns)].nunique() > 1).any()]


def column_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Column by column: its middle in four groups, and whether test differ from train patients.

    Columns `column, reactive, tumoral, train, test` (medians; means of what is 0 or 1),
    `test_auc`, the chance that a test patient has more of it than a training patient, and
    `adjusted_p`, Mann and Whitney's p value after Benjamini and Hochberg's correction for the
    number of columns. Columns that are the same for everybody are left out.
    """
    names = dict.fromkeys(name for suspect in SUSPECTS for name in suspect.columns)
    is_test = (table["part"] == "test").to_numpy()
    label = table["label"].to_numpy()
    groups = {"reactive": label == 0, "tumoral": label == 1, "train": ~is_test, "test": is_test}
    rows = []
    for name in (name for name in names if table[name].nunique() > 1):
        values = table[name].to_numpy(np.float64)
        middle = np.mean if set(values) <= {0.0, 1.0} else np.median
        row: dict[str, object] = {"column": name}
        row |= {group: middle(values[who]) for group, who in groups.items()}
        row["test_auc"] = column_aucs(is_test[:, None].astype(np.int64), values[:, None])[0]
        row["adjusted_p"] = mannwhitneyu(values[is_test], values[~is_test]).pvalue
        rows.append(row)
    differences = pd.DataFrame(rows)
    return differences.assign(adjusted_p=false_discovery_control(differences["adjusted_p"]))
