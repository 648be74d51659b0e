"""Compute features of the labelled cells with the frozen trunk that encodes the cohort's cells."""

from pathlib import Path

from lymphokit.cohort.tables import read_table
from lymphokit.features.backbone import encode_images, load_backbone
from lymphokit.features.bank import write_bank
from lymphokit.files import read_json
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import source_and_target
from lymphokit.job import job

with job(snakemake):
    settings, backbone = snakemake.params.settings, snakemake.params.backbone
    trunk = load_backbone(
        backbone["timm"],
        weights=backbone["weights"],
        sha256=backbone["sha256"],
        seed=snakemake.params.seed,
    )
    files = read_table(snakemake.input.table)["file"].tolist()
    home = read_json(Path(snakemake.input.about), "home")["home"]
    stains = read_json(Path(snakemake.input.stain))
    images = ImageFiles(
        Path(home),
        files,
        None,
        side=settings["labelled_px"],
        stain=source_and_target(
            "labelled_cells", settings["stain"], stains, per=settings["stain_per"]
        ),
    )
    write_bank(
        Path(snakemake.output.bank),
        encode_images(trunk, images, batch_size=backbone["batch_size"]),
        n_cells=len(files),
        n_features=trunk.n_features,
        fitted_on="training patients of the fold",
        metadata={"source": trunk.source, "stain": settings["stain"]},
    )
