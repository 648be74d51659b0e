"""`train: all`: images are read as they are asked for, and every weight of the network moves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lymphokit.cohort.tables import read_table
from lymphokit.features.backbone import load_backbone
from lymphokit.features.fine_tune import Sgd
from lymphokit.imaging.labelled import Photographs
from lymphokit.imaging.stain import moved_onto
from lymphokit.pseudo_labels.network_learner import WholeNetwork


def open_learner(
    settings: Mapping[str, Any],
    files: Mapping[str, str],
    *,
    frame: Mapping[str, int | None],
    trunk: Mapping[str, Any],
    seed: int,
) -> WholeNetwork:
    """The learner on the images below `raw` and those that `table` lists below `about`'s home.

    Both are brought to `labelled_px` pixels a side, and one has its stain moved. Raises
    WeightsError where the network or its weights cannot be had.
    """
    table, cells = read_table(files["table"]), read_table(files["cells"])
    home = Path(json.loads(Path(files["about"]).read_text())["home"])
    stains = json.loads(Path(files["stain"]).read_text())
    side, moving = settings["labelled_px"], settings["stain"]
    own = moved_onto("competition", moving, stains)
    theirs = moved_onto("labelled_cells", moving, stains)
    raw, paths = Path(files["raw"]), cells["path"].tolist()
    return WholeNetwork(
        load_backbone(**trunk, seed=seed),
        Photographs(raw, paths, frame["size"], frame["crop"], side, own),
        Photographs(home, table["file"].tolist(), None, None, side, theirs),
        table["label"].to_numpy(np.int64),
        (table["part"] == "train").to_numpy(),
        Sgd(**settings["sgd"]),
    )
