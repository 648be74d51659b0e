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
from lymphokit.cohort import raw as raw_data
from lymphokit.errors import LymphokitError
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
except LymphokitError as error:
    raise WorkflowError(str(error))

if workflow.is_main_process:
    say(CHOICE.sentence())
    if not workflow.dryrun:
        take_over(Path.cwd())


def n_folds(folds):
    """How many folds the scheme makes: k a repeat, or one split a repeat."""
    return folds["repeats"] * (folds["k"] if folds["scheme"] == "kfold" else 1)


COHORT = CHOICE.cohort
FOLDS = range(1, n_folds(config["folds"]) + 1)
# In the order of config.yaml: overlays come first in Snakemake's merged mapping.
WRITTEN = [*settings.read_yaml(ROOT / "config.yaml")["models"], *config["models"]]
MODELS = [name for name in dict.fromkeys(WRITTEN) if config["models"][name]["enabled"]]
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


def models_of(*kinds):
    """A pattern for the names of the enabled models of these kinds; it matches nothing if none."""
    names = [name for name in MODELS if config["models"][name]["kind"] in kinds]
    return "|".join(names) or "(?!)"


def model_settings(wildcards):
    """The block of config.yaml of the model in the path."""
    return config["models"][wildcards.model]


def backbone_settings(wildcards):
    """The block of config.yaml of the backbone in the path, its file of weights found."""
    backbone = config["backbones"][wildcards.backbone]
    folders = [Path(), Path("data/weights")]
    if CHOICE.source is not None:
        folders.append(CHOICE.source.parent / "weights")
    places = [folder / backbone["weights"] for folder in folders]
    found = next((str(file) for file in places if file.is_file()), backbone["weights"])
    return {**backbone, "weights": found}


def bank_of(wildcards):
    """The features that a model reads: the bank, and what is known about it."""
    features = config["models"][wildcards.model]["features"]
    bank = f"results/{wildcards.cohort}/features/{features}"
    return [f"{bank}.npy", f"{bank}.json"]


def features_of(name):
    """The features of a model and where their weights are from, for the score table."""
    features = config["models"][name].get("features", "")
    if features in config["backbones"]:
        backbone = config["backbones"][features]
        return f"{backbone['timm']}, weights {backbone['weights']}"
    return features


def variants_in_use():
    """The autoencoder's variants that an enabled model reads."""
    banks = {config["models"][name].get("features") for name in MODELS}
    return [
        variant
        for variant in config["autoencoder"]["variants"]
        if f"autoencoder_{variant}" in banks
    ]
