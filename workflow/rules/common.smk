# What every chapter needs: the checked settings, which cohort this run is about, and helpers.

import os
import sys
from pathlib import Path

ROOT = Path(workflow.basedir)
# The checkout's own package comes first, here and in every job, so that an edit counts in the
# copy where it is made.
sys.path.insert(0, str(ROOT / "src"))
before = [path for path in (os.getenv("PYTHONPATH"),) if path]
os.environ.update(PYTHONPATH=os.pathsep.join([str(ROOT / "src"), *before]))

from lymphokit import config as settings
from lymphokit.cohort import blood_cells as blood
from lymphokit.cohort import labelled_cells as labelled
from lymphokit.cohort import raw as raw_data
from lymphokit.errors import LymphokitError
from lymphokit.studies.shuffles import shuffles_for
from lymphokit.pseudo_labels.selection import RoundSizes
from lymphokit.models.registry import kind_of
from lymphokit.progress import say
from lymphokit.provenance import code_digest, folder_digest
from lymphokit.resume import take_over

try:
    CHOICE = raw_data.locate(str(config["raw"]), Path())
except LymphokitError as error:
    raise WorkflowError(str(error))

if CHOICE.source is None:

    configfile: "config/demo.yaml"


try:
    config = settings.validate(config)
    raw_data.claim(CHOICE, Path("results"))
    LABELLED = labelled.locate(config["labelled_cells"], CHOICE, Path())
    if LABELLED is not None and LABELLED.is_dir():
        labelled.require_parts(LABELLED, config["pseudo_label"])
    BLOOD = blood.locate(config["blood_cells"]["folder"], CHOICE, Path())
    BLOOD_MADE_HERE = (
        CHOICE.source is None and config["blood_cells"]["folder"] == "auto"
    )
    if BLOOD is not None and not BLOOD_MADE_HERE:
        blood.require_parts(BLOOD, config["blood_cells"]["validation"])
except LymphokitError as error:
    raise WorkflowError(str(error))

if workflow.is_main_process:
    say(CHOICE.sentence())
    if LABELLED is None:
        say(labelled.NONE_HERE)
    if BLOOD is None:
        say(blood.NONE_HERE)
    if not workflow.dryrun:
        take_over(Path.cwd())


def n_folds(folds):
    """How many folds the scheme makes: k a repeat, or one split a repeat."""
    return folds["repeats"] * (folds["k"] if folds["scheme"] == "kfold" else 1)


COHORT = CHOICE.cohort
FOLDS = range(1, n_folds(config["folds"]) + 1)
# In the order of config.yaml: overlays come first in Snakemake's merged mapping.
WRITTEN = [*settings.read_yaml(ROOT / "config.yaml")["models"], *config["models"]]
RESTING = [
    *([] if LABELLED else settings.LABELLED_BANKS),
    *([] if BLOOD else [settings.BLOOD_BANK]),
]
MODELS = [
    name
    for name in dict.fromkeys(WRITTEN)
    if config["models"][name]["enabled"]
    and config["models"][name].get("features") not in RESTING
]
BLENDED = [name for name in MODELS if config["models"][name]["enabled"] != "scored"]
# Where a choice has fewer than two models left, there is nothing to choose.
CHOICES = {
    name: among
    for name, wanted in config["ensemble"]["choices"].items()
    if len(among := BLENDED if wanted == "all" else [m for m in wanted if m in MODELS])
    > 1
}
ENTERING = [
    name
    for name in MODELS
    if name in {*BLENDED, *(m for c in CHOICES.values() for m in c)}
]
RAW = (
    str(CHOICE.source)
    if CHOICE.source and not CHOICE.is_zip
    else f"results/{COHORT}/raw"
)


wildcard_constraints:
    cohort=COHORT,
    fold=r"\d+",


def code_of(script, *modules):
    """Digest of a rule's script and of the package's modules that it uses."""
    return code_digest(ROOT / "workflow" / "scripts" / script, *modules)


def names_of(*kinds):
    """The names of the enabled models of these kinds."""
    return [name for name in MODELS if config["models"][name]["kind"] in kinds]


def models_of(*kinds):
    """A pattern for the names of the enabled models of these kinds; it matches nothing if none."""
    return "|".join(names_of(*kinds)) or "(?!)"


def model_settings(wildcards):
    """The block of config.yaml of the model in the path."""
    return config["models"][wildcards.model]


def with_weights_found(name):
    """The block of config.yaml of a backbone, its file of weights found."""
    backbone = config["backbones"][name]
    folders = [Path(), Path("data/weights")]
    if CHOICE.source is not None:
        folders.append(CHOICE.source.parent / "weights")
    places = [folder / backbone["weights"] for folder in folders]
    found = next((str(file) for file in places if file.is_file()), backbone["weights"])
    return {**backbone, "weights": found}


def backbone_settings(wildcards):
    """The block of config.yaml of the backbone in the path, its file of weights found."""
    return with_weights_found(wildcards.backbone)


def trunk(name):
    """What load_backbone takes to make a backbone of config.yaml."""
    backbone = with_weights_found(name)
    return {
        "name": backbone["timm"],
        "weights": backbone["weights"],
        "sha256": backbone["sha256"],
    }


def trunk_of(wildcards):
    """What load_backbone takes to make the backbone in the path."""
    return trunk(wildcards.backbone)


def reads_features(name):
    """Whether a model reads features of cells, and not their pixels or one probability of each."""
    features = config["models"][name].get("features")
    no_features = {*settings.CELL_BANKS, *settings.PIXEL_BANKS}
    return features is not None and features not in no_features


def kinds_that_read_features():
    """The kinds of the models that read features of cells."""
    return sorted(
        {config["models"][name]["kind"] for name in MODELS if reads_features(name)}
    )


def bank_of(wildcards):
    """The features that a model reads: the bank, and what is known about it."""
    features = config["models"][wildcards.model]["features"]
    home = f"results/{wildcards.cohort}"
    if features in settings.PIXEL_BANKS:
        return [f"{home}/imaging/{settings.PIXEL_BANKS[features]}.npy"]
    if features in settings.CELL_BANKS:
        home = f"{home}/fold{wildcards.fold}"
    bank = f"{home}/features/{features}"
    return [f"{bank}.npy", f"{bank}.json"]


def features_of(name):
    """The features of a model and where their weights are from, for the score table."""
    features = config["models"][name].get("features", "")
    if features in config["backbones"]:
        backbone = config["backbones"][features]
        return f"{backbone['timm']}, weights {backbone['weights']}"
    if features in [settings.BLOOD_BANK, *settings.CELL_BANKS]:
        chapter = "pseudo_label" if features in settings.LABELLED_BANKS else features
        return f"{features}, {config[chapter]['network']}"
    return features


def blend_settings():
    """What `recipes` takes to make every blend, but for the rule of thresholds."""
    kinds = {name: config["models"][name]["kind"] for name in BLENDED}
    return {
        "blended": BLENDED,
        "image_models": [name for name in BLENDED if kind_of(kinds[name]).uses_images],
        "best": config["ensemble"]["best"],
        "stack_C": config["ensemble"]["stack_C"],
        "choices": CHOICES,
    }


def ablated_model():
    """The block of config.yaml that the ablation varies, with as many members as it is given."""
    model = config["models"][config["ablation"]["model"]]
    return {**model, "members": config["ablation"]["members"]}


def variants_in_use():
    """The autoencoder's variants that an enabled model reads."""
    banks = {config["models"][name].get("features") for name in MODELS}
    return [
        variant
        for variant in config["autoencoder"]["variants"]
        if f"autoencoder_{variant}" in banks
    ]


def blood_cell_backbone(wildcards):
    """The settings of the backbone trained on blood cells: its start's, with its own weights."""
    weights = f"results/{wildcards.cohort}/features/{settings.BLOOD_BANK}.safetensors"
    start = config["backbones"][config["blood_cells"]["network"]]
    return {**start, "weights": weights, "sha256": None}


def blood_cell_figures():
    """The picture of the network trained on blood cells, where a model uses it."""
    features = [config["models"][name].get("features") for name in MODELS]
    return ["blood_cells"] if settings.BLOOD_BANK in features else []


BLOOD_INPUT = []
if BLOOD is not None:
    BLOOD_INPUT = RAW if BLOOD_MADE_HERE else str(BLOOD)
INSTANCE = config["instance_network"]

# Pseudo-labelling: each step's params hold what it uses and no more, so that a change reruns what
# it touches. Further rounds run alone.

PSEUDO_LABEL = config["pseudo_label"]
ROUND_SIZES = RoundSizes.from_config(PSEUDO_LABEL["schedule"])
LAST_ROUND = len(ROUND_SIZES)
ROUNDS = range(LAST_ROUND + 1)
PSEUDO_LABELLING = any(
    config["models"][name].get("features") in settings.LABELLED_BANKS for name in MODELS
)
WHOLE_NETWORK = PSEUDO_LABEL["train"] == "all"
FRAME = {
    "size": config["cohort"]["image_size"],
    "crop": config["backbones"].get(PSEUDO_LABEL["network"], {}).get("crop"),
}
LEARNING = {
    key: PSEUDO_LABEL[key]
    for key in (
        ["train", "sgd", "labelled_px", "stain"]
        if WHOLE_NETWORK
        else ["train", "ridge"]
    )
}
SELECTION = {
    key: PSEUDO_LABEL[key]
    for key in ["confidence", "floor", "most_per_patient", "negatives", "ties"]
}
TRUNK = trunk(PSEUDO_LABEL["network"]) if WHOLE_NETWORK else {}
CODE_OF_ROUNDS = code_of(
    "pseudo_label.py",
    f"lymphokit.pseudo_labels.{'network' if WHOLE_NETWORK else 'head'}_learner",
)
TRUTH = f"results/{COHORT}/truth" if CHOICE.source is None else []
LABELLED_INPUT = []
if LABELLED is not None:
    LABELLED_INPUT = (
        RAW if config["labelled_cells"] == "auto" and TRUTH else str(LABELLED)
    )


def cells_to_learn_from(wildcards):
    """Inputs of a round: tables, and features or images of all cells."""
    cohort = f"results/{wildcards.cohort}"
    rounds = f"{cohort}/fold{wildcards.fold}/pseudo_label"
    tables = {
        "patients": f"{cohort}/cohort/patients.csv",
        "cells": f"{cohort}/cohort/cells.csv",
        "folds": f"{cohort}/folds.csv",
        "table": f"{cohort}/labelled_cells/cells.csv",
    }
    if WHOLE_NETWORK:
        about = f"{cohort}/labelled_cells/about.json"
        return {**tables, "raw": RAW, "about": about, "stain": f"{rounds}/stain.json"}
    network = PSEUDO_LABEL["network"]
    return {
        **tables,
        "bank": f"{cohort}/features/{network}.npy",
        "labelled_bank": f"{rounds}/{network}.npy",
    }


def round_before(wildcards):
    """Inputs of round r from round r - 1. A round beyond the last is an error."""
    number = int(wildcards.round)
    try:
        ROUND_SIZES.size_of(number)
    except LymphokitError as error:
        raise WorkflowError(str(error))
    rounds = f"results/{wildcards.cohort}/fold{wildcards.fold}/pseudo_label"
    before = f"{rounds}/round{number - 1}"
    return {"added": f"{before}/added.csv", "scores": f"{before}/scores.npz"}


def sizes_so_far(wildcards):
    """Cells of each label added by every round up to the one in the path; all, without one."""
    number = int(wildcards.get("round", LAST_ROUND))
    return list(ROUND_SIZES.sizes[:number])


def pseudo_label_files():
    """Files of the pseudo-labelling of all folds that the audit reads."""
    if not PSEUDO_LABELLING:
        return []
    fold = "results/{{cohort}}/fold{fold}"
    steps = [f"round{number}/record.json" for number in ROUNDS]
    steps += [f"round{LAST_ROUND}/{file}" for file in ["added.csv", "scores.npz"]]
    steps += ["last/added.csv", "last/scores.npz", "stain.json", "lineage.json"]
    return [
        *expand(f"{fold}/pseudo_label/{{file}}", fold=FOLDS, file=steps),
        *expand(f"{fold}/features/pseudo_label.npy", fold=FOLDS),
    ]


def pseudo_label_figures():
    """The pictures of pseudo-labelling, where a model uses it."""
    folds = [f"added_fold{fold}" for fold in FOLDS]
    return ["stain", "rounds", *folds] if PSEUDO_LABELLING else []


def refitted(names):
    """The blocks of config.yaml of models that are refitted again and again."""
    return {name: config["models"][name] for name in names}


def banks_read_by(names, ending):
    """The banks of features that these models read, each once, as paths under results/{cohort}."""
    banks = dict.fromkeys(config["models"][name].get("features") for name in names)
    return [
        f"results/{{cohort}}/features/{bank}.{ending}"
        for bank in banks
        if bank is not None
    ]
