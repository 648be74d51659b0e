# Shared by all chapters: the plan of this run, and functions from wildcards to files.

import os
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from snakemake.cli import parse_args
from snakemake.logging import logger

from lymphokit import config as settings
from lymphokit import job_server
from lymphokit.cohort import raw as raw_data
from lymphokit.cohort.archive import is_hidden
from lymphokit.digest_cache import shared
from lymphokit.errors import explained_as
from lymphokit.plan import has_gpu, make_plan, require_checkout
from lymphokit.progress import say
from lymphokit.provenance import code_digest, folder_digest
from lymphokit.resume import needs_lock, take_over
from lymphokit.submission.receipt import lost_submission

ROOT = Path(workflow.basedir)

# Before anything is read or written: one run at a time. While this file is parsed, Snakemake does
# not tell what it will do, so its command line is read again, which repeats a line about profiles.
if workflow.is_main_process:
    with redirect_stderr(StringIO()):
        OPTIONS = vars(parse_args(None)[1])
    EXECUTOR = OPTIONS["executor"] or "local"
    if needs_lock(OPTIONS):
        with explained_as(WorkflowError):
            take_over(Path.cwd(), EXECUTOR)

DIGESTS = shared()

# Threads of jobs that share cores wait without spinning: two autoencoders at once are 1.5 times as
# fast, and one alone is no slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# glibc returns every freed block of megabytes to the system, and a network asks for it again at the
# next layer: features come about twice as fast where it keeps them (benchmarks/kept_memory.py).
for setting in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
    os.environ.setdefault(setting, str(2**30))

if workflow.deployment_settings.deployment_method:
    # Snakemake would build an environment from a copy of environment.yml, without this package.
    raise WorkflowError(
        "start without --software-deployment-method (--sdm): all rules run in the environment that "
        "`make env` or `conda env create -f environment.yml` makes"
    )

with explained_as(WorkflowError):
    require_checkout(ROOT)
    for file in workflow.configfiles:
        # Refuses a key given twice, which Snakemake accepts.
        settings.read_yaml(Path(file))
    SOURCE = raw_data.locate(str(config.get("raw", "auto")), Path())

if SOURCE.source is None:

    configfile: "config/demo.yaml"


with explained_as(WorkflowError):
    ORDER = settings.read_yaml(ROOT / "config.yaml").get("models") or ()
    PLAN = make_plan(config, SOURCE, ORDER, Path())
    raw_data.claim(SOURCE, Path("results"))

# From here on `config` holds the checked settings, with `auto` replaced.
config = PLAN.settings
COHORT = PLAN.cohort
FOLDS = PLAN.folds

# A job on a cluster parses this file again; only the main process prints the plan.
if workflow.is_main_process:
    if NOTHING := PLAN.nothing_to_rerun(OPTIONS["forcerun"], OPTIONS["targets"]):
        say(NOTHING)
        raise SystemExit(1)
    for line in PLAN.messages:
        say(line)
    LOST = lost_submission(Path(f"results/{COHORT}/submission.json"), Path())
    if LOST:
        say(LOST)


wildcard_constraints:
    cohort=COHORT,
    fold=r"\d+",


def code_of(script, *modules):
    """Digest of a rule's script and of the package's modules that it uses."""
    path = ROOT / "workflow" / "scripts" / script
    return code_digest(path, *modules, remember=DIGESTS.remember)


def contents_of(folder, made_here):
    """Digest of an input folder; of one that the workflow makes, Snakemake tracks the files."""
    if made_here or folder is None:
        return "made here"
    return folder_digest(Path(folder), DIGESTS.sha256, is_hidden)


# The images of patients, for the rules that read them. The table of cells alone would not do: it
# stays the same when an image is replaced by another of the same name.
RAW_CONTENTS = "no download"  # such as a home folder, which takes long to read
if PLAN.raw_is_made or raw_data.is_download(Path(PLAN.raw)):
    RAW_CONTENTS = contents_of(PLAN.raw, PLAN.raw_is_made)


def any_of(names):
    """A pattern for these names; it matches nothing where there are none."""
    return "|".join(names) or "(?!)"


def bank_of(wildcards, fold=None):
    """The files of the bank that the model of the path reads in a fold, by default the path's."""
    files = PLAN.bank_files(wildcards.model, fold or wildcards.fold)
    return [f"results/{wildcards.cohort}/{file}" for file in files]


def predictions_of(models):
    """The predictions of models in all folds, model after model; `blends` stands for all blends."""
    path = f"results/{COHORT}/fold{{fold}}/{{model}}/predictions.csv"
    return expand(path, model=models, fold=FOLDS)
