"""Train a network to classify types of blood cells; predict held-out ones."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from lymphokit.cohort.tables import read_table, write_table
from lymphokit.features.backbone import load_backbone
from lymphokit.features.compute import save_weights
from lymphokit.features.fine_tune import Adam, fine_tune
from lymphokit.figures.confusion import confusion_figure
from lymphokit.figures.terminal_tables import share_with_interval
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    cells = read_table(snakemake.input.table)
    about = read_json(Path(snakemake.input.about))
    backbone = load_backbone(**snakemake.params.trunk, seed=snakemake.params.seed)
    say(backbone.source)
    types = about["types"]
    labels = cells["type"].map(types.index).to_numpy(np.int64)
    is_training = (cells["part"] == "train").to_numpy()
    training, held_out = np.flatnonzero(is_training), np.flatnonzero(~is_training)
    images = ImageFiles(Path(about["home"]), cells["file"].tolist(), None, side=snakemake.params.px)
    trained = fine_tune(
        backbone,
        images,
        training,
        labels[training],
        settings=Adam(**snakemake.params.adam),
        seed=snakemake.params.seed,
        validation=(held_out, labels[held_out]),
    )
    save_weights(trained.classifier.network, Path(snakemake.output.weights))
    write_table(pd.DataFrame(map(asdict, trained.history)), snakemake.output.history)
    called = trained.log_probabilities(images, held_out).argmax(axis=1)
    calls = cells.loc[held_out, ["file", "type"]].assign(called=np.array(types)[called])
    write_table(calls, snakemake.output.calls)
    figure = confusion_figure(calls, types, network=snakemake.params.network)
    figure.savefig(snakemake.output.figure, dpi=130)
    accuracy = share_with_interval(trained.history[-1].accuracy, len(held_out))
    say(f"{snakemake.params.network}: {accuracy} of {len(held_out)} held-out blood cells")
