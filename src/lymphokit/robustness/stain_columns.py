"""The columns that the stain test removes: colours of glass and red cells, files of images."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lymphokit.errors import LymphokitError
from lymphokit.evaluation.metrics import Floats
from lymphokit.studies.nuisance_columns import CONFOUNDERS

GLASS, RED_CELLS, BOTH, ALL = "glass", "red cells", "glass and red cells", "all nuisance"
# Not the order of rows and ids nor the format of dates: no image can show them.
_IN_IMAGES = ("number of images", "file size", "image size and JPEG tables", "stain: bare glass")
_CHANNELS = ("red", "green", "blue")
_COLOURS = {
    GLASS: [f"glass_{channel}" for channel in _CHANNELS],
    RED_CELLS: [f"red_cells_{channel}" for channel in _CHANNELS],
}


def column_sets(
    patients: Sequence[str], colours: pd.DataFrame, artefacts: pd.DataFrame
) -> dict[str, Floats]:
    """The columns of each set, (n_patients, n_columns), in the order of the patients.

    colours: of `imaging.smear_colours.colours_table`; artefacts: of the confounder study. `glass`
    and `red cells` are 3 optical densities each; `all nuisance` are these and the number, files and
    glass of the images. Columns that are the same for everybody are left out.
    Raises LymphokitError where a patient lacks a row or a value.
    """
    files = [name for each in CONFOUNDERS if each.name in _IN_IMAGES for name in each.columns]
    glass = _values(patients, colours, _COLOURS[GLASS], "smear colours")
    red_cells = _values(patients, colours, _COLOURS[RED_CELLS], "smear colours")
    properties = _values(patients, artefacts, files, "artefacts")
    both = np.column_stack([glass, red_cells])
    sets = {
        GLASS: glass,
        RED_CELLS: red_cells,
        BOTH: both,
        ALL: np.column_stack([both, properties]),
    }
    return {name: columns[:, np.ptp(columns, axis=0) > 0] for name, columns in sets.items()}


def densities(sets: Mapping[str, Floats]) -> dict[str, Floats]:
    """The optical density of glass and of red cells, the mean of the three colours: (n,) each."""
    return {place: sets[place].mean(axis=1) for place in (RED_CELLS, GLASS) if sets[place].shape[1]}


def _values(
    patients: Sequence[str], table: pd.DataFrame, columns: Sequence[str], name: str
) -> Floats:
    values = table.set_index("patient")[list(columns)].reindex(list(patients))
    lacking = values.index[values.isna().any(axis=1)]
    if len(lacking):
        raise LymphokitError(
            f"the {name} lack values of {', '.join(lacking)}; delete the table, the next run "
            "writes it anew"
        )
    return values.to_numpy(np.float64)
