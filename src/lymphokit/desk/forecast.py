"""How long a run would take, from the jobs that its plan needs and the constants of `job_costs`."""

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lymphokit.cohort.archive import IMAGE_SUFFIXES
from lymphokit.cohort.layout import SETS
from lymphokit.config import BLOOD_BANK
from lymphokit.desk.job_costs import (
    BETWEEN_JOBS,
    COSTS,
    EPOCH_MEMORY_GB,
    EPOCH_SECONDS,
    EPOCHS_MEASURED,
    GRADIENTS,
    MB_PER_CELL,
    NETWORKS,
    OTHER,
    OTHER_NETWORK,
    RUN_GB,
    RUN_MEMORY_GB,
    Cost,
)
from lymphokit.folders import is_regular
from lymphokit.plan import Plan
from lymphokit.settings import needs_masks

_ALWAYS = (
    *("check", "folds", "clinical_figures", "pixels", "cells_figure", "artefacts", "confounders"),
    *("duplicates", "out_of_fold", "comparison", "calibration", "referral", "leaks", "submit"),
    *("audit", "report"),
)
_PX = 224  # side at which NETWORKS were measured
_MB = 1e6


@dataclass(frozen=True)
class Job:
    """One job: the name of its benchmark table in the cohort's logs, its seconds on one core.

    memory: at most, in GB. on_gpu: whether it runs on a GPU where there is one.
    """

    name: str
    seconds: float
    memory: float = 0.2
    on_gpu: bool = False


@dataclass(frozen=True)
class Forecast:
    """What all jobs of a run take, from nothing to the CSV.

    cells: images of the cohort. on_gpu: seconds of the jobs that a GPU would shorten.
    memory_gb: of the largest job beside small ones on the other cores. disk_gb: of the results.
    """

    cells: int
    jobs: tuple[Job, ...]
    cores: int
    memory_gb: float
    disk_gb: float

    @property
    def seconds(self) -> float:
        """From start to end: no shorter than the longest job, else all cores at work."""
        jobs = sum(job.seconds + BETWEEN_JOBS for job in self.jobs)
        return max(jobs / self.cores, self.longest.seconds / 2)  # a long job has two threads

    @property
    def on_gpu(self) -> float:
        """Seconds, of those, in jobs that a GPU shortens."""
        return sum(job.seconds for job in self.jobs if job.on_gpu) / self.cores

    @property
    def longest(self) -> Job:
        """The job that takes longest."""
        return max(self.jobs, key=lambda job: job.seconds)


def forecast(plan: Plan, measured: Mapping[str, float]) -> Forecast:
    """Forecast a run. measured: seconds of the jobs that ran before, by name; they come first."""
    cells = count_cells(plan)
    jobs = [
        Job(job.name, measured.get(job.name, job.seconds), job.memory, job.on_gpu)
        for job in jobs_of(plan, cells)
    ]
    cores = psutil.cpu_count() or 1
    memory = RUN_MEMORY_GB + max(job.memory for job in jobs) + 0.2 * (cores - 1)
    disk = RUN_GB + MB_PER_CELL * cells / 1000 + _unpacked_gb(plan)
    return Forecast(cells, tuple(jobs), cores, memory, disk)


def count_cells(plan: Plan) -> int:
    """The number of images of the cohort: by the names of its files, or as simulated."""
    source = plan.source.source
    if source is None:
        simulate = plan.settings["simulate"]
        n_patients = simulate["training_patients"] + simulate["test_patients"]
        least, most = simulate["cells"]
        return int(n_patients * (least + most) / 2)
    if plan.source.is_zip:
        return sum(_is_image(info.filename) for info in _members(source))
    return sum(_is_image(path.as_posix()) for path in source.rglob("*.*"))


def jobs_of(plan: Plan, cells: int) -> Iterator[Job]:
    """The jobs of the main job, each once."""
    made = ["simulate"] if plan.simulated else ["unpack"] * plan.source.is_zip
    yield from (_job(name, cells) for name in (*made, *_ALWAYS))
    yield from _feature_jobs(plan, cells)
    for fold in plan.folds:
        for model in fitted_models(plan):
            yield _fit(plan, model, fold, cells)
        yield _job("blend", cells, f"fold{fold}/blend")
    for series in plan.series:
        yield from _round_jobs(plan, series, cells)
    if plan.described:
        yield _job("stain_test", cells)
    for model in plan.of_kind("cell_types"):
        if model in plan.models:
            yield _job("cell_types_figure", cells, f"cell_types_{model}")


def fitted_models(plan: Plan) -> list[str]:
    """The models that the main job fits: of blends, and scored beside the stain test."""
    return [name for name in plan.approaches if name in {*plan.models, *plan.colourless}]


def _job(kind: str, cells: int, name: str = "", *, scale: float = 1.0, gpu: bool = False) -> Job:
    cost = COSTS.get(kind, OTHER)
    thousands = cells / 1000
    seconds = cost.start + (cost.per_thousand + cost.per_square * thousands) * thousands * scale
    return Job(name or kind, seconds, cost.memory, gpu)


def _fit(plan: Plan, model: str, fold: int, cells: int) -> Job:
    """A fit of a model; of networks, time follows the number of epochs at most."""
    block = plan.block(model)
    kind = str(block["kind"])
    epochs = block.get("max_epochs", block.get("epochs"))
    scale = epochs / EPOCHS_MEASURED[kind] if epochs and kind in EPOCHS_MEASURED else 1.0
    if kind == "end_to_end":
        scale *= (block["side"] / 32) ** 2
    is_network = kind in EPOCHS_MEASURED
    return _job(kind, cells, f"fold{fold}/{model}", scale=scale, gpu=is_network)


def _feature_jobs(plan: Plan, cells: int) -> Iterator[Job]:
    """The feature banks of the run, and the masks that they need."""
    read = _read(plan)
    networks = [name for name in plan.settings["backbones"] if name in read]
    if any(needs_masks(plan.settings["backbones"][name]) for name in networks):
        yield _job("cell_masks", cells)
    if "morphology" in read:
        yield _job("morphology", cells)
    epochs = plan.settings["autoencoder"]["epochs"]
    for variant in plan.autoencoder_variants:
        seconds = 2 + EPOCH_SECONDS * epochs * cells / 1000
        yield Job(f"autoencoder_{variant}", seconds, EPOCH_MEMORY_GB, on_gpu=True)
        yield _job("encode", cells, f"encode_{variant}", gpu=True)
    for name in networks:
        yield _network_job(f"backbone_{name}", plan.settings["backbones"][name], cells)
    if BLOOD_BANK in plan.banks:
        yield from _blood_cell_jobs(plan, cells)
    if "instance_network" in plan.banks:
        yield from _instance_jobs(plan, cells)


def _read(plan: Plan) -> set[str]:
    """The feature banks of the run, with those under heads that are trained."""
    heads = {
        "pseudo_label": bool(plan.series),
        "instance_network": "instance_network" in plan.banks,
    }
    blocks = [plan.settings[name] for name, is_read in heads.items() if is_read]
    banks = {str(plan.block(name).get("features")) for name in fitted_models(plan)}
    return banks | {block["network"] for block in blocks if block["train"] == "head"}


def _network_job(
    name: str, backbone: Mapping[str, Any], cells: int, passes: float = 1.0, px: int | None = None
) -> Job:
    """A network over all cells, `passes` times."""
    cost = network_cost(str(backbone["timm"]))
    side = px or backbone.get("px") or backbone.get("crop") or _PX
    seconds = 3 + cost.per_thousand * passes * cells / 1000 * (side / _PX) ** 2
    return Job(name, seconds, cost.memory * (2 if passes > 1 else 1), on_gpu=True)


def network_cost(timm: str) -> Cost:
    """The cost of a network by its name in timm, without the tag of its weights."""
    return NETWORKS.get(timm.partition(".")[0], OTHER_NETWORK)


def _blood_cell_jobs(plan: Plan, cells: int) -> Iterator[Job]:
    settings = plan.settings["blood_cells"]
    backbone = plan.settings["backbones"][settings["network"]]
    n = _count_blood_cells(plan)
    passes = GRADIENTS * settings["epochs"]
    yield _job("blood_cells", cells)
    yield _network_job("blood_cell_network", backbone, n, passes, settings["px"])
    yield _network_job("backbone_blood_cells", backbone, cells, px=settings["px"])


def _count_blood_cells(plan: Plan) -> int:
    if plan.blood_cells_are_made or plan.blood_cells is None:
        return 8 * int(plan.settings["simulate"]["cells_per_blood_type"])
    return sum(_is_image(path.as_posix(), anywhere=True) for path in plan.blood_cells.rglob("*.*"))


def _instance_jobs(plan: Plan, cells: int) -> Iterator[Job]:
    """Networks on patients' labels: one for all training patients, one without each inner fold."""
    settings = plan.settings["instance_network"]
    for fold in plan.folds:
        if settings["train"] == "head":
            yield _job("instance_head", cells, f"fold{fold}/instance_head")
            continue
        backbone = plan.settings["backbones"][settings["network"]]
        passes = (1 + GRADIENTS * settings["sgd"]["epochs"]) * _subsets(plan)
        name = f"fold{fold}/instance_network"
        yield _network_job(name, backbone, cells, passes, settings["px"])


def _subsets(plan: Plan) -> int:
    """Training subsets of a fold: all training patients, and those without each inner fold."""
    return 1 + int(plan.settings["folds"]["inner"])


def _round_jobs(plan: Plan, series: str, cells: int) -> Iterator[Job]:
    """The rounds of a series in every fold, with what starts and ends them."""
    is_first, from_cells = series == "pseudo_label", plan.drawn(series) is None
    once = ["labelled_cells", "labelled_cells_figure", "moments", "stain_figure"] * from_cells
    yield from (_job(name, cells) for name in [*once, *["rounds"] * is_first])
    if is_first:
        yield _job("gallery", cells, f"fold{plan.folds[0]}/gallery")
    for fold in plan.folds:
        place = f"fold{fold}/{series}"
        for number in range(plan.last_round + 1):
            yield _round(plan, f"{place}/round{number}", number, cells)
        for name in ("lineage", "last_phase", "bank"):
            yield _job(name, cells, f"{place}/{name}")
        if "round_zero" in plan.banks:
            yield _job("bank", cells, f"fold{fold}/round_zero_bank")
        if from_cells:
            yield from _labelled_jobs(plan, fold, cells)


def _labelled_jobs(plan: Plan, fold: int, cells: int) -> Iterator[Job]:
    """What a fold does with the labelled cells before any round."""
    yield _job("stain", cells, f"fold{fold}/stain")
    if not plan.trains_whole_network:
        network = plan.settings["pseudo_label"]["network"]
        yield _job("labelled_morphology", cells, f"fold{fold}/labelled_{network}")


def _round(plan: Plan, name: str, number: int, cells: int) -> Job:
    """One round in one fold: a head in a second, or whole networks and the cells they label."""
    if not plan.trains_whole_network:
        return _job("round", cells, name)
    settings = plan.settings["pseudo_label"]
    added = 2 * sum(plan.sizes_until(str(number)))
    trained = settings["labelled_train"] + added
    passes = _subsets(plan) * (GRADIENTS * settings["sgd"]["epochs"] * trained / cells + 1)
    backbone = plan.settings["backbones"][settings["network"]]
    return _network_job(name, backbone, cells, passes, settings["labelled_px"])


def _is_image(name: str, *, anywhere: bool = False) -> bool:
    """Whether a path is an image of a patient's folder in one of the sets."""
    *above, last = name.split("/")
    is_image = Path(last).suffix.lower() in IMAGE_SUFFIXES
    return is_image and (anywhere or not set(SETS.values()).isdisjoint(above))


def _members(zipped: Path) -> Iterable[zipfile.ZipInfo]:
    """The entries of a zip; none of one that cannot be read, which the run reports."""
    try:
        with zipfile.ZipFile(zipped) as file:
            return file.infolist()
    except (zipfile.BadZipFile, OSError):
        return ()


def _unpacked_gb(plan: Plan) -> float:
    source = plan.source.source
    if source is None or not is_regular(source):
        return 0.0
    return sum(info.file_size for info in _members(source)) / _MB / 1000
