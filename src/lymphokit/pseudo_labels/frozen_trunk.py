"""`train: head`: the features of all cells come from banks, once computed for every round."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lymphokit.cohort.tables import read_table
from lymphokit.errors import BankError
from lymphokit.features.bank import open_bank
from lymphokit.pseudo_labels.head import FrozenTrunk


def open_learner(
    settings: Mapping[str, Any],
    files: Mapping[str, str],
    *,
    frame: Mapping[str, int | None],  # noqa: ARG001
    trunk: Mapping[str, Any],  # noqa: ARG001
    seed: int,  # noqa: ARG001
) -> FrozenTrunk:
    """The learner on the banks `bank` (the cohort's cells) and `labelled_bank`.

    Raises BankError where a bank is not of these cells, or the two have different features.
    """
    table, cells = read_table(files["table"]), read_table(files["cells"])
    own = open_bank(Path(files["bank"]), len(cells)).features
    labelled = open_bank(Path(files["labelled_bank"]), len(table)).features
    if own.shape[1] != labelled.shape[1]:
        raise BankError(
            f"{files['bank']} has {own.shape[1]} features and {files['labelled_bank']} "
            f"{labelled.shape[1]}: they are of two networks; delete both, the next run makes them"
        )
    return FrozenTrunk(
        own,
        np.asarray(labelled),
        table["label"].to_numpy(np.int64),
        (table["part"] == "train").to_numpy(),
        settings["ridge"],
    )
