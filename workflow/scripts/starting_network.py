"""Train one network on the labelled cells, its last layer replaced; record its accuracy."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.cohort.tables import read_table, write_table
from lymphokit.features.backbone import load_backbone
from lymphokit.features.fine_tune import Sgd, fine_tune
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    settings, name = snakemake.params.settings, snakemake.wildcards.backbone
    cells = read_table(snakemake.input.table)
    home = Path(read_json(Path(snakemake.input.about), "home")["home"])
    backbone = load_backbone(**snakemake.params.trunk, seed=snakemake.params.seed)
    say(backbone.source)
    labels, is_training = cells["label"].to_numpy(np.int64), (cells["part"] == "train").to_numpy()
    training, held_out = np.flatnonzero(is_training), np.flatnonzero(~is_training)
    trained = fine_tune(
        backbone,
        ImageFiles(home, cells["file"].tolist(), None, side=settings["labelled_px"]),
        training,
        labels[training],
        settings=Sgd(**settings["sgd"]),
        seed=snakemake.params.seed,
        validation=(held_out, labels[held_out]),
    )
    history = pd.DataFrame([asdict(epoch) for epoch in trained.history])
    history.insert(0, "network", name)
    write_table(history, snakemake.output.history)
    say(f"{name}: {history['accuracy'].iloc[-1]:.3f} of {len(held_out)} held-out labelled cells")
