"""Compute features of every cell with a backbone."""

from contextlib import ExitStack
from pathlib import Path

from lymphokit.arrays import RowReader
from lymphokit.cohort.tables import read_cells, read_table
from lymphokit.features.backbone import load_backbone
from lymphokit.features.bank import write_keyed_bank
from lymphokit.features.compute import best_device, weights_digest
from lymphokit.features.full_batches import encode_in_full_batches
from lymphokit.features.inference import for_inference
from lymphokit.features.stages import count_features
from lymphokit.imaging.cell_views import CohortCells
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.smear_colours import colours_by_patient
from lymphokit.job import job
from lymphokit.keyed_rows import recipe_of, row_keys
from lymphokit.progress import say, track
from lymphokit.provenance import machine

with job(snakemake), ExitStack() as files:
    settings, read = snakemake.params.settings, snakemake.input
    origin = {key: settings[key] for key in ("weights", "sha256")}
    backbone = load_backbone(settings["timm"], **origin, seed=snakemake.params.seed)
    backbone = for_inference(backbone, settings["precision"])
    say(f"{backbone.source}, computed in {backbone.precision}")
    table, what = read_cells(read.cells), f"cells through {snakemake.wildcards.backbone}"
    images = ImageFiles(Path(read.raw), table["path"].tolist(), snakemake.params.image_size)
    banks = [name for name in ("masks", "cell_masks") if read.get(name)]
    masks = {name: files.enter_context(RowReader(Path(read[name]))) for name in banks}
    colours = None
    if "cell_masks" in banks:
        of_patient = colours_by_patient(read_table(read.smear_colours))
        colours = table["patient"].map(of_patient.__getitem__).tolist()
    cells = CohortCells(images, settings, colours=colours, **masks)
    on = machine(gpu=best_device().type == "cuda")
    recipe = recipe_of(snakemake.params, machine=on, weights=weights_digest(backbone.network))
    n_computed = write_keyed_bank(
        Path(snakemake.output.bank),
        row_keys(recipe, images.files, *cells.beside()),
        lambda positions: encode_in_full_batches(
            backbone, track(cells.views(positions), what, len(positions)), settings
        ),
        n_features=count_features(backbone, settings),
        metadata={**settings, "source": backbone.source, "precision": backbone.precision},
    )
    say(f"{n_computed:,} of {len(table):,} cells computed, the others by an earlier run")
