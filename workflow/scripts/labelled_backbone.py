"""Compute features of the labelled cells with the frozen trunk that encodes the cohort's cells."""

from pathlib import Path

from lymphokit.cohort.tables import read_table
from lymphokit.features.backbone import load_backbone
from lymphokit.features.bank import write_bank
from lymphokit.features.inference import for_inference
from lymphokit.features.stages import count_features, encode_cells
from lymphokit.files import read_json
from lymphokit.imaging.cell_views import labelled_views
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import source_and_target
from lymphokit.job import job

with job(snakemake):
    params = snakemake.params
    settings, backbone = params.settings, params.backbone
    origin = {key: backbone[key] for key in ("weights", "sha256")}
    trunk = load_backbone(backbone["timm"], **origin, seed=params.seed)
    trunk = for_inference(trunk, backbone["precision"])
    files = read_table(snakemake.input.table)["file"].tolist()
    home = read_json(Path(snakemake.input.about), "home")["home"]
    stain, per = settings["stain"], settings["stain_per"]
    moved = source_and_target(
        "labelled_cells", stain, read_json(Path(snakemake.input.stain)), per=per
    )
    images = ImageFiles(Path(home), files, None, side=settings["labelled_px"], stain=moved)
    views = labelled_views(images, backbone, per=per, cell_mask_settings=params.cell_mask)
    write_bank(
        Path(snakemake.output.bank),
        encode_cells(trunk, views, backbone),
        n_cells=len(files),
        n_features=count_features(trunk, backbone),
        fitted_on="training patients of the fold",
        metadata={"source": trunk.source, "stain": stain},
    )
