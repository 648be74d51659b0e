"""The plan of a run for a configuration and a cohort; the Snakefiles only read it.

The plan is made once, before any job: which data is used, which models run, which of them enter
the blends and the choices, which rest and why, and where the files of each are.
"""

import ctypes
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import lymphokit
from lymphokit import config
from lymphokit.cohort import blood_cells, labelled_cells, raw
from lymphokit.digest_cache import shared
from lymphokit.errors import ConfigError
from lymphokit.features.weights import HUB, NONE, find_weights, missing_weights
from lymphokit.files import user_path
from lymphokit.models.registry import Kind, kind_of
from lymphokit.pseudo_labels.selection import RoundSizes
from lymphokit.settings import is_plain, needs_masks

GALLERY = "added_fold1"  # the figure of the cells that the rounds of a fold add: of one alone
_GPU = "LYMPHOKIT_GPU"  # environment variable: yes or no
# Settings that no submission depends on: another value of these writes no new CSV.
NOT_IN_SUBMISSION = (
    *("raw", "comparison", "calibration", "referral", "confounders", "audit"),
    *("ablation", "preprocessing", "permutation", "spread", "cell_draws"),
)
# The rules of workflow/rules/pseudo_label.smk, except those for comparisons on labelled cells.
ROUND_RULES = (
    *("labelled_cells", "labelled_cells_figure", "moments", "stain", "labelled_backbone"),
    *("labelled_morphology", "round_zero", "pseudo_label", "lineage", "last_phase"),
    *("pseudo_label_bank", "round_zero_bank", "rounds", "gallery", "stain_figure"),
)


@dataclass(frozen=True)
class Plan:
    """All decisions about a run.

    settings: the checked configuration as plain values. source: the raw data. labelled_cells and
    blood_cells: folders of single cells, None where there is none. approaches: names of all models
    that can run, in the order of config.yaml. resting: why each other enabled model rests.
    choices: the candidates of each choice that has at least two.
    """

    settings: Mapping[str, Any]
    source: raw.RawChoice
    labelled_cells: Path | None
    blood_cells: Path | None
    approaches: tuple[str, ...]
    resting: Mapping[str, str]
    choices: Mapping[str, Sequence[str]]

    @property
    def cohort(self) -> str:
        """The name of the cohort, that of its folder in results/."""
        return self.source.cohort

    @property
    def simulated(self) -> bool:
        """Whether the cohort is simulated by this run."""
        return self.source.source is None

    @property
    def raw(self) -> str:
        """The folder of raw data: the download, or the folder simulated or unpacked by this run."""
        if self.source.source is None or self.source.is_zip:
            return f"results/{self.cohort}/raw"
        return str(self.source.source)

    @property
    def raw_is_made(self) -> bool:
        """Whether the workflow makes the folder of raw data, by simulating or unpacking it."""
        return self.raw.startswith("results/")

    @property
    def truth(self) -> str | list[str]:
        """The folder of the simulated truth; none for real data."""
        return f"results/{self.cohort}/truth" if self.simulated else []

    @property
    def labelled_cells_are_made(self) -> bool:
        """Whether the labelled cells are part of the simulated cohort."""
        return _is_simulated(self.source, self.settings["labelled_cells"])

    @property
    def blood_cells_are_made(self) -> bool:
        """Whether the blood cells are part of the simulated cohort."""
        return _is_simulated(self.source, self.settings["blood_cells"]["folder"])

    def labelled_cell_input(self, _: Any = None) -> str:
        """The input folder of the labelled cells. Raises ConfigError where there is none."""
        if self.labelled_cells is None:
            raise ConfigError(labelled_cells.NONE_HERE)
        return self.raw if self.labelled_cells_are_made else str(self.labelled_cells)

    def blood_cell_input(self, _: Any = None) -> str:
        """The input folder of the blood cells. Raises ConfigError where there is none."""
        if self.blood_cells is None:
            raise ConfigError(blood_cells.NONE_HERE)
        return self.raw if self.blood_cells_are_made else str(self.blood_cells)

    @property
    def messages(self) -> list[str]:
        """Lines that a run starts with: the data used, and which models rest and why."""
        lines = [self.source.sentence()]
        without = self.labelled_cells is None and self.start_of("pseudo_label") != "bags"
        lines += [labelled_cells.NONE_HERE] if without else []
        lines += [blood_cells.NONE_HERE] if self.blood_cells is None else []
        return [*lines, *lines_by_reason("models at rest", self.resting)]

    @property
    def folds(self) -> range:
        """Numbers of the folds, from 1: k for each repeat, or one split for each."""
        folds = self.settings["folds"]
        per_repeat = folds["k"] if folds["scheme"] == "kfold" else 1
        return range(1, folds["repeats"] * per_repeat + 1)

    def block(self, model: str) -> dict[str, Any]:
        """The settings of a model, as in config.yaml."""
        return dict(self.settings["models"][model])

    def kind(self, model: str) -> Kind:
        """The registered kind of a model."""
        return kind_of(self.block(model)["kind"])

    def of_kind(self, *kinds: str) -> list[str]:
        """Models that can run and are of one of these kinds."""
        return [name for name in self.approaches if self.block(name)["kind"] in kinds]

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the main job: those that the CSV may need, and the clinical baseline."""
        wanted = {*self.entering, *self.of_kind("clinical_logistic"), *self._named}
        return tuple(name for name in self.approaches if name in wanted)

    @property
    def _named(self) -> list[str]:
        """The submitted column and the reference of comparisons, each a model or a blend."""
        return [self.settings["submission"]["blend"], self.settings["comparison"]["reference"]]

    @property
    def blended(self) -> list[str]:
        """Models that may enter the vote, the mean and the stack."""
        return [name for name in self.approaches if self.block(name)["enabled"] != "scored"]

    @property
    def product(self) -> dict[str, list[str]]:
        """The models of the product of experts that run: `images`, and at most one `clinical`."""
        product = self.settings["ensemble"]["product"]
        named = {"images": product["images"], "clinical": [product["clinical"]]}
        return {
            part: [name for name in names if name in self.approaches]
            for part, names in named.items()
        }

    @property
    def image_models(self) -> list[str]:
        """Models that read cells and nothing else, which age and count can be joined with."""
        kinds = {name: self.kind(name) for name in self.approaches}
        return [n for n, each in kinds.items() if each.uses_images and not each.reads_clinical]

    @property
    def described(self) -> list[str]:
        """The image models of the product whose descriptors the stain test takes colours from.

        None without a model of age and count, the gain over which it tests.
        """
        models = self.product["images"] if self.product["clinical"] else []
        return [
            name
            for name in models
            if hasattr(self.kind(name).model, "descriptors") and self.reads_features(name)
        ]

    @property
    def colourless(self) -> list[str]:
        """Models that see no colour, scored beside those of the stain test."""
        greys = [n for n, each in self.settings["backbones"].items() if each["normalise"] == "grey"]
        read = {name: self.block(name).get("features") for name in self.approaches}
        return [name for name, bank in read.items() if bank in greys and self.described]

    @property
    def entering(self) -> list[str]:
        """Models whose predictions blends read: those blended, of the product, of choices."""
        product = {name for names in self.product.values() for name in names}
        candidates = {name for among in self.choices.values() for name in among}
        wanted = {*self.blended, *product, *candidates}
        return [name for name in self.approaches if name in wanted]

    @property
    def blends(self) -> dict[str, Any]:
        """The arguments of `ensemble.fold.recipes`, except the threshold rule."""
        return {
            "blended": self.blended,
            "image_models": [name for name in self.blended if self.kind(name).uses_images],
            "best": self.settings["ensemble"]["best"],
            "stack_C": self.settings["ensemble"]["stack_C"],
            "product": self.product,
            "choices": dict(self.choices),
        }

    @property
    def calibrated(self) -> list[str]:
        """What the calibration and referral pages show: the submitted blend and the baseline."""
        blend = self.settings["submission"]["blend"]
        return list(dict.fromkeys([blend, *self.of_kind("clinical_logistic")[:1]]))

    @property
    def clinical_block(self) -> dict[str, Any] | None:
        """The settings of the product's model of age and count, where it runs."""
        return next((self.block(name) for name in self.product["clinical"]), None)

    @property
    def permuted(self) -> list[str]:
        """The models of the permutation test that the run fits as well."""
        return [name for name in self.settings["permutation"]["models"] if name in self.models]

    @property
    def checked_models(self) -> list[str]:
        """The models that the MIL unit tests can run: those that read features of cells."""
        return [name for name in self.approaches if self.reads_features(name)]

    def files_of(self, models: Sequence[str]) -> list[Path]:
        """The files that define the kinds of these models, each once."""
        return list(dict.fromkeys(self.kind(name).file for name in models))

    @property
    def figures(self) -> list[str]:
        """Names of the figures that belong to a submission."""
        names = ["age", "lymphocytes", "cells", "segmentation", "scores", "roc", "comparison"]
        names += ["confounders", *(["stain_test"] if self.described else [])]
        names += ["blood_cells"] if config.BLOOD_BANK in self.banks else []
        if "pseudo_label" in self.series:
            from_bags = self.series["pseudo_label"] == "bags"
            names += [] if from_bags else ["labelled_cells", "stain"]
            names += ["rounds", GALLERY]
        names += [f"reconstruction_{variant}" for variant in self.autoencoder_variants]
        names += [
            f"cell_types_{name}" for name in self.of_kind("cell_types") if name in self.models
        ]
        return names

    @property
    def rim_px(self) -> int:
        """How far masks reach beyond the cell: as far as the report's of the nucleus is dilated."""
        segmentation = self.settings["segmentation"]
        return int(segmentation["dilation_px"]) if segmentation["region"] == "nucleus" else 0

    @property
    def figure_files(self) -> list[str]:
        """Names of the files of `figures`: a gallery of many photographs is a JPEG."""
        return [f"{name}.{'jpg' if name == GALLERY else 'png'}" for name in self.figures]

    @property
    def unblended(self) -> list[str]:
        """Models of the main job that enter no blend: candidates of a choice, and the reference."""
        product = {name for names in self.product.values() for name in names}
        return [name for name in self.models if name not in {*self.blended, *product}]

    @property
    def reported_tables(self) -> list[str]:
        """Names of the tables of the main job that the report reads."""
        tables = ["decisions", "scores", "comparisons"]
        return [*tables, *(["stain_test"] if self.described else [])]

    @property
    def neutral_scores(self) -> dict[str, float | None]:
        """The neutral score of each model of the main job that scores cells, where it has one."""
        kinds = {name: self.kind(name).model for name in self.models}
        return {n: each.neutral_score for n, each in kinds.items() if hasattr(each, "cell_scores")}

    @property
    def first_repeat(self) -> list[int]:
        """Numbers of the folds of the first repeat."""
        folds = self.settings["folds"]
        return list(self.folds)[: folds["k"] if folds["scheme"] == "kfold" else 1]

    @property
    def approach_figures(self) -> list[str]:
        """Names of the figures that belong to approaches outside the main job."""
        names = [f"margins_{name}" for name in self.of_kind("one_class_svm")]
        is_read = config.BLOOD_BANK in self._banks_of(self.approaches)
        return [*names, *(["blood_cells"] if is_read else [])]

    @property
    def banks(self) -> set[str]:
        """The feature banks that the models of the main job read."""
        return set(self._banks_of(self.models))

    def bank_files(self, model: str, fold: str | int) -> list[str]:
        """The files of the bank that a model reads in a fold, relative to results/{cohort}."""
        bank = self.block(model).get("features")
        if bank is None:
            return []
        if bank in config.PIXEL_BANKS:
            return [f"imaging/{config.PIXEL_BANKS[bank]}.npy"]
        folder = f"fold{fold}/features" if bank in config.CELL_BANKS else "features"
        return [f"{folder}/{bank}.npy", f"{folder}/{bank}.json"]

    def reads_features(self, model: str) -> bool:
        """Whether a model reads features of cells, not pixels or one probability of each cell."""
        bank = self.block(model).get("features")
        return bank is not None and bank not in {*config.CELL_BANKS, *config.PIXEL_BANKS}

    def features_label(self, model: str) -> str:
        """The features of a model and the source of their weights, for the score table."""
        bank = self.block(model).get("features", "")
        if bank in self.settings["backbones"]:
            backbone = self.backbone(bank)
            return f"{backbone['timm']}, weights {Path(backbone['weights']).name}"
        if bank in (config.BLOOD_BANK, *config.CELL_BANKS):
            block = "pseudo_label" if bank in config.ROUND_BANKS else bank
            return f"{bank}, {self.settings[block]['network']}"
        return str(bank)

    def backbone(self, name: str) -> dict[str, Any]:
        """The settings of a backbone, its weights resolved: `hub`, `none`, or the path of a file.

        A file is looked for here, in data/weights, and in a folder `weights` beside the raw data.
        Its sha256 is part of the settings, so that another file of the same name reruns its users.
        """
        backbone = dict(self.settings["backbones"][name])
        folders = _weight_folders(self.source)
        weights = find_weights(backbone["timm"], backbone["weights"], folders)
        backbone["weights"] = weights
        if weights not in (HUB, NONE) and Path(weights).is_file():
            backbone["sha256"] = backbone["sha256"] or shared().sha256(Path(weights))
        return backbone

    def trunk(self, name: str) -> dict[str, Any]:
        """The arguments of `load_backbone`, except the seed, for a backbone of config.yaml."""
        backbone = self.backbone(name)
        return {"name": backbone["timm"], **{key: backbone[key] for key in ("weights", "sha256")}}

    def blood_cell_backbone(self) -> dict[str, Any]:
        """The settings of the backbone trained on blood cells: its start with new weights."""
        weights = f"results/{self.cohort}/features/{config.BLOOD_BANK}.safetensors"
        start = self.settings["backbones"][self.settings["blood_cells"]["network"]]
        px = self.settings["blood_cells"]["px"]
        return {**start, "weights": weights, "sha256": None, "px": px}

    def cell_inputs(self, backbone: str) -> dict[str, str]:
        """The input files of a bank of a backbone: images, and the masks that its settings need."""
        cohort = f"results/{self.cohort}"
        settings = self.settings["backbones"][backbone]
        files = {"raw": self.raw, "cells": f"{cohort}/cohort/cells.csv"}
        if settings["image"] == "segmented":
            files["masks"] = f"{cohort}/imaging/masks.npy"
        if needs_masks(settings):
            files["cell_masks"] = f"{cohort}/imaging/cell_masks.npy"
            files["smear_colours"] = f"{cohort}/imaging/smear_colours.csv"
        return files

    @property
    def autoencoder_variants(self) -> list[str]:
        """The variants of the autoencoder that a model of the run reads."""
        variants = self.settings["autoencoder"]["variants"]
        return [variant for variant in variants if f"autoencoder_{variant}" in self.banks]

    @property
    def ablated_model(self) -> dict[str, Any]:
        """The model that the ablation varies, with the ablation's number of members."""
        settings = self.settings["ablation"]
        return {**self.block(settings["model"]), "members": settings["members"]}

    def blocks(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The settings of several models, by name."""
        return {name: self.block(name) for name in names}

    def banks_read_by(self, names: Sequence[str], ending: str) -> list[str]:
        """The files with this ending of the banks that these models read, each once."""
        banks = self._banks_of(names)
        return [f"results/{self.cohort}/features/{bank}.{ending}" for bank in banks]

    def _banks_of(self, models: Sequence[str]) -> list[str]:
        """The feature banks that these models read, each once."""
        banks = dict.fromkeys(self.block(name).get("features") for name in models)
        return [bank for bank in banks if bank is not None]

    def ablation_files(self, which: str) -> list[str]:
        """The files of a bank of the ablation; which: `features` or `segmented_features`."""
        bank = {**self.ablated_model, **self.settings["ablation"]}[which]
        return [f"results/{self.cohort}/features/{bank}.{ending}" for ending in ("npy", "json")]

    @property
    def shuffles(self) -> tuple[str, ...]:
        """The shuffles of the permutation test that test something about its models.

        Shuffled images need a model of images; risk by age and count needs a clinical model.
        """
        kinds = {self.block(name)["kind"] for name in self.settings["permutation"]["models"]}
        if "pooled_logistic" not in kinds:
            return ("labels",)
        of_risk = ("images_of_risk",) if "clinical_logistic" in kinds else ()
        return ("labels", "images", "images_of_size", *of_risk)

    @property
    def submission_settings(self) -> dict[str, Any]:
        """The settings that a submission depends on: those of what the main job reads."""
        settings = {
            key: block for key, block in self.settings.items() if key not in NOT_IN_SUBMISSION
        }
        settings["models"] = self.blocks(self.models)
        networks = set(self.banks)
        for block, read in (
            ("blood_cells", config.BLOOD_BANK in self.banks),
            ("instance_network", "instance_network" in self.banks),
            ("pseudo_label", bool(self.series)),
        ):
            if read:
                networks.add(settings[block]["network"])
                settings[block] = {k: v for k, v in settings[block].items() if k != "compare"}
            else:
                del settings[block]
        settings["backbones"] = {
            name: {**backbone, "weights": Path(backbone["weights"]).name}  # on any machine
            for name in self.settings["backbones"]
            if name in networks and (backbone := self.backbone(name))
        }
        return settings

    # Pseudo-labelling: the params of a step hold the settings that it uses and no others, so that
    # a change reruns what it touches. A longer list of rounds runs the new rounds alone.

    @property
    def series(self) -> dict[str, str]:
        """The series of rounds that models of the main job read, and what each starts from."""
        return self._series_of(self.models)

    def _series_of(self, models: Sequence[str]) -> dict[str, str]:
        read = set(self._banks_of(models))
        return {
            series: self.start_of(series)
            for series, banks in config.SERIES.items()
            if not read.isdisjoint(banks)
        }

    def start_of(self, series: str) -> str:
        """What round 0 of a series learns from: `labelled_cells` or `bags`."""
        return "bags" if series == "bag_start" else str(self.settings["pseudo_label"]["start"])

    def drawn(self, series: str) -> int | None:
        """Cells of each label that round 0 of a series draws; None where it has labelled cells."""
        if self.start_of(series) == "labelled_cells":
            return None
        return int(self.settings["pseudo_label"]["labelled_train"]) // 2

    def nothing_to_rerun(self, forced: Iterable[str], targets: Iterable[str]) -> str | None:
        """Why a rerun of pseudo-labelling that was asked for (`-R`) would rerun nothing.

        None where it was not asked for, or reruns something. forced, targets: rules or files.
        """
        names = {*forced, *targets}
        if not any(name in ROUND_RULES or "/pseudo_label/" in name for name in forced):
            return None
        beyond = any(name == "approaches" or "/bag_start/" in name for name in names)
        if self._series_of(self.approaches if beyond else self.models):
            return None
        banks = config.SERIES["pseudo_label"]
        reasons = [
            reason
            for model, reason in self.resting.items()
            if self.block(model).get("features") in banks
        ]
        if not reasons:
            return "nothing to rerun: no model reads pseudo-labels; enable one in config.yaml"
        remedy = labelled_cells.REMEDY if self.labelled_cells is None else "see docs/data.md"
        return f"nothing to rerun: {reasons[0]}; {remedy}"

    @property
    def round_sizes(self) -> RoundSizes:
        """How many cells of each label every round adds."""
        return RoundSizes.from_config(self.settings["pseudo_label"]["rounds"])

    @property
    def last_round(self) -> int:
        """The number of the last round."""
        return len(self.round_sizes)

    @property
    def trains_whole_network(self) -> bool:
        """Whether pseudo-labelling trains all layers, not the last one alone."""
        return bool(self.settings["pseudo_label"]["train"] == "all")

    def learning(self, series: str) -> dict[str, Any]:
        """The settings of the learner of a series; without labelled cells no stain is moved."""
        whole = ["train", "sgd", "labelled_px"]
        whole += ["stain", "stain_per"] if self.drawn(series) is None else []
        return self._pseudo_label(whole if self.trains_whole_network else ["train", "ridge"])

    @property
    def learning_threads(self) -> int:
        """The threads of a step of the rounds."""
        return 2 if self.trains_whole_network else 1

    @property
    def learner_module(self) -> str:
        """The module of the learner of the rounds, which its digest of code covers."""
        learner = "network" if self.trains_whole_network else "head"
        return f"lymphokit.pseudo_labels.{learner}_learner"

    @property
    def round_trunk(self) -> dict[str, Any]:
        """The backbone that the rounds train; none where they read a bank of features."""
        if not self.trains_whole_network:
            return {}
        return self.trunk(self.settings["pseudo_label"]["network"])

    @property
    def selection(self) -> dict[str, Any]:
        """The settings of the cell selection."""
        keys = ["confidence", "floor", "most_per_patient", "negatives", "ties"]
        return self._pseudo_label(keys)

    @property
    def frame(self) -> dict[str, Any]:
        """Size and crop of the images that the rounds read."""
        backbone = self.settings["backbones"].get(self.settings["pseudo_label"]["network"], {})
        return {"size": self.settings["cohort"]["image_size"], "crop": backbone.get("crop")}

    def sizes_until(self, number: str | None) -> list[int]:
        """Cells of each label added by every round up to this one; by all rounds for None."""
        sizes = self.round_sizes.sizes
        return list(sizes if number is None else sizes[: int(number)])

    def learner_inputs(self, wildcards: Any) -> dict[str, str]:
        """The input files of a step of the rounds: tables, and features or images of all cells.

        Those of the labelled cells where the series starts from them.
        """
        cohort = f"results/{wildcards.cohort}"
        folder = f"{cohort}/fold{wildcards.fold}/{wildcards.series}"
        network = self.settings["pseudo_label"]["network"]
        files = {
            "patients": f"{cohort}/cohort/patients.csv",
            "cells": f"{cohort}/cohort/cells.csv",
            "folds": f"{cohort}/folds.csv",
        }
        labelled = {"table": f"{cohort}/labelled_cells/cells.csv"}
        if self.trains_whole_network:
            files |= {"raw": self.raw}
            labelled |= {"about": f"{cohort}/labelled_cells/about.json"}
            labelled |= {"stain": f"{folder}/stain.json"}
        else:
            files |= {"bank": f"{cohort}/features/{network}.npy"}
            labelled |= {"labelled_bank": f"{folder}/{network}.npy"}
        return {**files, **labelled} if self.drawn(wildcards.series) is None else files

    def stain_of(self, wildcards: Any) -> str | list[str]:
        """The file of the stain that a series of rounds used; none without labelled cells."""
        folder = f"results/{wildcards.cohort}/fold{wildcards.fold}/{wildcards.series}"
        return f"{folder}/stain.json" if self.drawn(wildcards.series) is None else []

    @property
    def labelled_table(self) -> str | list[str]:
        """The table of labelled cells, whose validation part shows what the rounds forget."""
        from_bags = self.start_of("pseudo_label") == "bags"
        return [] if from_bags else f"results/{self.cohort}/labelled_cells/cells.csv"

    def round_before(self, wildcards: Any) -> dict[str, str]:
        """The output of round r - 1, which round r reads. Raises RoundsError beyond the last."""
        number = int(wildcards.round)
        self.round_sizes.size_of(number)
        series = f"results/{wildcards.cohort}/fold{wildcards.fold}/{wildcards.series}"
        folder = f"{series}/round{number - 1}"
        return {"added": f"{folder}/added.csv", "scores": f"{folder}/scores.npz"}

    @property
    def pseudo_label_files(self) -> list[str]:
        """The files of all rounds in all folds that the leak checks read."""
        last = self.last_round
        steps = [f"round{number}/record.json" for number in range(last + 1)]
        steps += [f"round{last}/{file}" for file in ("added.csv", "scores.npz")]
        steps += ["last/added.csv", "last/scores.npz", "lineage.json"]
        files: list[str] = []
        for series, start in self.series.items():
            files += [f"{series}/{step}" for step in steps]
            files += [] if start == "bags" else [f"{series}/stain.json"]
            files.append(f"features/{series}.npy")
        return [f"results/{self.cohort}/fold{fold}/{file}" for fold in self.folds for file in files]

    def _pseudo_label(self, keys: Sequence[str]) -> dict[str, Any]:
        return {key: self.settings["pseudo_label"][key] for key in keys}


def by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """The names that share a reason, by reason, in the order of the names."""
    grouped: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        grouped.setdefault(reason, []).append(name)
    return grouped


def lines_by_reason(head: str, reasons: Mapping[str, str]) -> list[str]:
    """A line a reason: `models at rest: a, b (no labelled cells)`."""
    groups = by_reason(reasons).items()
    return [f"{head}: {', '.join(names)} ({reason})" for reason, names in groups]


def make_plan(
    settings: Mapping[str, Any], source: raw.RawChoice, order: Sequence[str], root: Path
) -> Plan:
    """Check the settings and the data, and decide what runs.

    settings: the merged configuration; source: the raw data; order: names of models in the order
    of config.yaml, since Snakemake puts an overlay's models in front; root: the working folder.
    Raises ConfigError and CohortError with every fault found.
    """
    checked = resolve_auto(config.validate(settings), has_gpu())
    for name, backbone in checked["backbones"].items():
        user_path(backbone["weights"], f"backbones.{name}.weights")
    labelled = labelled_cells.locate(checked["labelled_cells"], source, root)
    if labelled is not None and labelled.is_dir():
        labelled_cells.require_parts(labelled, checked["pseudo_label"])
    blood = blood_cells.locate(checked["blood_cells"]["folder"], source, root)
    if blood is not None and not _is_simulated(source, checked["blood_cells"]["folder"]):
        blood_cells.require_parts(blood, checked["blood_cells"]["validation"])
    names = list(dict.fromkeys([*order, *checked["models"]]))
    enabled = [name for name in names if checked["models"][name]["enabled"]]
    reasons = _resting_banks(checked, source, labelled, blood)
    resting = {
        name: reasons[bank]
        for name in enabled
        if (bank := checked["models"][name].get("features")) in reasons
    }
    approaches = tuple(name for name in enabled if name not in resting)
    plan = Plan(checked, source, labelled, blood, approaches, MappingProxyType(resting), {})
    choices = {
        name: candidates
        for name, among in checked["ensemble"]["choices"].items()
        if len(candidates := _candidates(plan, among)) > 1
    }
    plan = replace(plan, choices=MappingProxyType(choices))
    for key, name in (
        ("submission.blend", plan._named[0]),
        ("comparison.reference", plan._named[1]),
    ):
        if name in resting:
            raise ConfigError(f"{key}: {name} rests: {resting[name]}; name a model that runs")
        if missing := [part for part in config.PRODUCTS.get(name, ()) if not plan.product[part]]:
            raise ConfigError(
                f"{key}: {name} has no model: none of ensemble.product.{missing[0]} runs; enable "
                "one, or name another blend"
            )
    return plan


def resolve_auto(checked: Mapping[str, Any], gpu: bool) -> dict[str, Any]:
    """The settings with `auto` replaced by what suits the machine.

    Whole networks are trained only on a GPU: VGG19 at 725 trainings of all folds and rounds takes
    days without one. A frozen trunk needs the stain of the labelled cells moved, see config.yaml.
    """
    resolved = dict(checked)
    for block in ("pseudo_label", "instance_network"):
        if checked[block]["train"] == "auto":
            network = checked["backbones"].get(checked[block]["network"])  # or morphology
            whole = gpu and (network is None or is_plain(network))
            resolved[block] = {**checked[block], "train": "all" if whole else "head"}
    if resolved["pseudo_label"]["stain"] == "auto":
        whole = resolved["pseudo_label"]["train"] == "all"
        stain = "competition" if whole else "labelled_cells"
        network = checked["backbones"].get(resolved["pseudo_label"]["network"])
        if network is not None and network["normalise"] != "none":
            stain = "none"  # colours of both come from their glass and red cells
        resolved["pseudo_label"] = {**resolved["pseudo_label"], "stain": stain}
    resolved["backbones"] = {
        name: {**backbone, "batch_size": _batch_size(backbone["batch_size"], gpu)}
        for name, backbone in checked["backbones"].items()
    }
    return resolved


def _batch_size(setting: int | Literal["auto"], gpu: bool) -> int:
    """Images that a network sees at once when it only computes features."""
    if setting != "auto":
        return setting
    return 128 if gpu else 16


def has_gpu() -> bool:
    """Whether the machine on which the run was started has a GPU.

    The jobs that it starts take this over, on whichever node they run, and thereby its plan.
    """
    if _GPU not in os.environ:
        os.environ[_GPU] = "yes" if _finds_device() else "no"
    return os.environ[_GPU] == "yes"


def _finds_device() -> bool:
    """Whether the CUDA driver finds a device; importing torch for this would take seconds."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return (
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


def _resting_banks(
    checked: Mapping[str, Any], source: raw.RawChoice, labelled: Path | None, blood: Path | None
) -> dict[str, str]:
    """The reason for each bank that cannot be made: no cells to learn from, or no weights."""
    from_bags = checked["pseudo_label"]["start"] == "bags"
    lacking = () if from_bags or labelled is not None else config.SERIES["pseudo_label"]
    reasons = {
        **dict.fromkeys(lacking, "no labelled cells"),
        **dict.fromkeys((config.BLOOD_BANK,) if blood is None else (), "no blood cells"),
        **dict.fromkeys(("bag_start",) if from_bags else (), "pseudo_label starts from bags, too"),
    }
    networks = {bank: bank for bank in checked["backbones"]}
    networks |= dict.fromkeys(config.ROUND_BANKS, checked["pseudo_label"]["network"])
    networks |= {bank: checked[bank]["network"] for bank in ("instance_network", "blood_cells")}
    read = {block.get("features") for block in checked["models"].values() if block["enabled"]}
    folders = _weight_folders(source)
    for bank, network in networks.items():
        if bank in read and bank not in reasons and network in checked["backbones"]:
            block = checked["backbones"][network]
            missing = missing_weights(block["timm"], block["weights"], folders, block["sha256"])
            if missing:
                reasons[bank] = f"backbone {network}: {missing}"
    return reasons


def _weight_folders(source: raw.RawChoice) -> list[Path]:
    """Where files of weights are looked for."""
    folders = [Path(), Path("data/weights")]
    return folders if source.source is None else [*folders, source.source.parent / "weights"]


def _candidates(plan: Plan, among: Sequence[str] | str) -> list[str]:
    """The models and blends of a choice that run; with fewer than two there is no choice."""
    product = [name for name, parts in config.PRODUCTS.items() if all(map(plan.product.get, parts))]
    known = {*plan.approaches, *config.FITTED_BLENDS, *product}
    return plan.blended if among == "all" else [name for name in among if name in known]


def _is_simulated(source: raw.RawChoice, setting: str) -> bool:
    """Whether a set of single cells is made with the simulated cohort."""
    return source.source is None and setting == "auto"


def require_checkout(root: Path) -> None:
    """Raises ConfigError unless the installed package is that of the checkout at `root`.

    Otherwise an edit in this checkout would change nothing, and its results would be of other code.
    Raises it for braces in the path too: Snakemake would take them for a wildcard.
    """
    if set("{}") & set(str(root)):
        raise ConfigError(
            f"{root} has braces, which Snakemake takes for a wildcard: rename the folder"
        )
    installed, expected = Path(str(lymphokit.__file__)).parent, root / "src" / "lymphokit"
    if installed.resolve() != expected.resolve():
        raise ConfigError(
            f"the package in use is {installed}, not this checkout's {expected}: "
            "run `make env` here and use its .venv, or `pip install --editable .`"
        )
