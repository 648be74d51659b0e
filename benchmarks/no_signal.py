"""Coverage of nested intervals on simulated cohorts without any signal.

    python benchmarks/no_signal.py --work FOLDER [--cohorts 20] [--out rows.csv] [--figure out.png]

Every cohort is drawn by the simulator with `signal: 0` and goes through the functions that the
workflow's rules call, in one process: check, folds, measured cells, pseudo-labels, models, blends,
thresholds, scores with their intervals, naive scores. The settings are config.yaml, then
config/demo.yaml, then OVERLAY. A cohort takes about a minute and a half of one core; its rows are
cached in FOLDER, so that an interrupted run continues. The cache depends on the settings and not on
the code: empty the folder after a change of code. `--signal 1` shows that the same functions find a
signal.

How to read it. A leak raises the mean over cohorts above 0.5. Intervals that are too narrow miss
on both sides, and the spread of the scores between cohorts exceeds what their width implies: the
last line of each score shows that for intervals that only resample patients
(interval_coverage.py explains why).
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from rich.console import Console
from threadpoolctl import threadpool_limits

from coverage_figure import PANELS, coverage_figure, coverage_terminal_table
from coverage_study import coverage_sentences, misses_by_cohort, naive_sentence
from lymphokit import config
from lymphokit.bags.contract import AnyModel
from lymphokit.bags.packed import bags_of, clinical_of, labels_of
from lymphokit.cohort import labelled_cells as labelled
from lymphokit.cohort.folds import make_folds
from lymphokit.cohort.raw import LABELLED, locate
from lymphokit.ensemble import naive
from lymphokit.ensemble.fold import MemberPredictions, blend_fold, recipes, rule_for
from lymphokit.evaluation.out_of_fold import cross_predict, decision_table
from lymphokit.evaluation.uncertainty import score_table, widening
from lymphokit.features.morphology import measure_cells
from lymphokit.imaging.check import Cohort, check_cohort
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.imaging.stain import Stain, moments
from lymphokit.models.registry import create
from lymphokit.plan import make_plan
from lymphokit.provenance import settings_digest
from lymphokit.pseudo_labels.head_learner import HeadClassifier, HeadLearner
from lymphokit.pseudo_labels.instance_network import instance_probabilities
from lymphokit.pseudo_labels.learner import LabelledSplit
from lymphokit.pseudo_labels.rounds import SelfTraining, training_subsets
from lymphokit.pseudo_labels.selection import RoundSizes, SelectionSettings, probability
from lymphokit.pseudo_labels.state import State, inner_folds_of, out_of_fold_log_odds
from lymphokit.simulation.cohort import simulate
from lymphokit.whole_cells.whole_cell import segmenter_of

ROOT = Path(__file__).parents[1]
CHANCE = 0.5
MEASURED = {"features": "morphology"}
OVERLAY: Mapping[str, Any] = {  # to take a minute a cohort: no autoencoder, fewer epochs
    "simulate": {"test_patients": 1, "cells_per_blood_type": 0},
    "models": {
        "mi_svm": MEASURED,
        "mi_svm_soft": MEASURED,
        "mi_svm_xgb": {**MEASURED, "cross_fit": 2},
        "d_mil_tuned": {**MEASURED, "learning_rate": 1.0e-3, "max_epochs": 15, "members": 2},
        "experts": {"enabled": False},
        "dual_stream": {"enabled": False},
        "end_to_end": {"enabled": False},
        "one_class": {**MEASURED, "cross_fit": 2},
        "bag_kernel": MEASURED,
        "bag_kernel_cell_only": {"enabled": False},
        "bag_kernel_morphology": {"enabled": False},
        "bag_kernel_grey": {"enabled": False},
        "cell_types": MEASURED,
        "pooled_blood": {"enabled": False},
        "pooled_resnet50": {"enabled": False},
        "pooled_vgg19": {"enabled": False},
    },
}
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class DrawnCohort:
    """A cohort with its folds and its measured cells.

    cells (n_cells, d) and moments (n_cells, 2, 3) of every cell of the cohort; photographs and
    table (`label`, `part`) of the labelled cells.
    """

    cohort: Cohort
    folds: pd.DataFrame
    cells: Floats
    moments: NDArray[np.float64]
    photographs: ImageFiles
    table: pd.DataFrame


def settings_of(overlay: Mapping[str, Any]) -> dict[str, Any]:
    """config.yaml, then config/demo.yaml, OVERLAY and this overlay, validated."""
    files = [config.read_yaml(ROOT / name) for name in ("config.yaml", "config/demo.yaml")]
    return config.validate(config.merge(*files, OVERLAY, overlay))


def draw(settings: Mapping[str, Any], folder: Path, seed: int) -> DrawnCohort:
    """The outputs of the rules from `simulate` to `morphology` for this seed."""
    root = folder / "raw"
    simulate(root, folder / "truth", **{**settings["simulate"], "seed": seed})
    reading = dict(settings["cohort"])
    reading["reference_date"] = date.fromisoformat(reading["reference_date"])
    cohort = check_cohort(root, **reading)
    paths = cohort.cells["path"]
    measured, stains = [], []
    for image in ImageFiles(root, paths, reading["image_size"]):
        measured.append(measured_cells([image], settings["segmentation"]))
        stains.append(moments(image))
    home, known = labelled.list_cells(root / LABELLED)
    sizes = {part: settings["pseudo_label"][f"labelled_{part}"] for part in ("train", "validation")}
    parts = labelled.split(known, seed=seed, **sizes)
    rows = [(cell.file, cell.label, part) for part, some in parts.items() for cell in some]
    table = pd.DataFrame(rows, columns=["file", "label", "part"])
    side = settings["pseudo_label"]["labelled_px"]
    photographs = ImageFiles(home, table["file"].tolist(), None, side=side)
    folds = make_folds(cohort.patients, seed=seed, **settings["folds"])
    return DrawnCohort(
        cohort, folds, np.concatenate(measured), np.stack(stains), photographs, table
    )


def measured_cells(images: Any, segmentation: Mapping[str, Any]) -> Floats:
    """The measurements of these images' cells: (n, d)."""
    images = list(images)
    masks = map(segmenter_of(**segmentation), images)
    return np.concatenate(list(measure_cells(images, masks, rim_px=segmentation["dilation_px"])))


def banks_of_fold(
    drawn: DrawnCohort, fold: pd.DataFrame, settings: Mapping[str, Any], seed: int
) -> dict[str, Floats]:
    """The banks that a fold's models read: (n_cells, d), or one probability of each cell."""
    patients, cells = drawn.cohort.patients, drawn.cohort.cells
    head = HeadClassifier(drawn.cells, settings["instance_network"]["ridge"])
    banks = {
        "morphology": drawn.cells,
        "instance_network": instance_probabilities(cells, patients, fold, head, seed=seed)[:, None],
    }
    inner_of = inner_folds_of(cells, fold)
    for name, state in pseudo_labels(drawn, fold, settings, seed).items():
        banks[name] = probability(out_of_fold_log_odds(state, inner_of))[:, None]
    return {name: bank.astype(np.float32) for name, bank in banks.items()}


def pseudo_labels(
    drawn: DrawnCohort, fold: pd.DataFrame, settings: Mapping[str, Any], seed: int
) -> dict[str, State]:
    """The state of the fold before the first round and after the last phase, by bank."""
    block, cells = settings["pseudo_label"], drawn.cohort.cells
    training = fold.loc[fold["part"] == "train", "patient"]
    target = Stain.from_moments(drawn.moments[cells["patient"].isin(training).to_numpy()])
    normalised = replace(drawn.photographs, stain=(Stain.from_images(drawn.photographs), target))
    learner = HeadLearner(
        drawn.cells,
        measured_cells(normalised, settings["segmentation"]),
        LabelledSplit.from_table(drawn.table),
        block["ridge"],
    )
    rounds = SelfTraining(
        training_subsets(cells, drawn.cohort.patients, fold),
        cells,
        RoundSizes.from_config(block["rounds"]),
        SelectionSettings(**{key: block[key] for key in SelectionSettings.__dataclass_fields__}),
        learner,
        seed,
        int(fold["fold"].iloc[0]),
    )
    first, last = first_and_last(rounds)
    bag_start = replace(rounds, drawn=block["labelled_train"] // 2)
    return {"round_zero": first, "pseudo_label": last, "bag_start": first_and_last(bag_start)[1]}


def first_and_last(rounds: SelfTraining) -> tuple[State, State]:
    """The states of round 0 and of the last phase."""
    state = first = rounds.round_zero()
    for number in range(1, len(rounds.sizes) + 1):
        state = rounds.next_round(number, state)
    return first, rounds.last_phase(state)


def predict(
    drawn: DrawnCohort, models: Mapping[str, Any], settings: Mapping[str, Any], seed: int
) -> dict[str, list[pd.DataFrame]]:
    """The predictions of each model in every fold, as the rule `fit` computes them."""
    patients = drawn.cohort.patients
    predictions: dict[str, list[pd.DataFrame]] = {name: [] for name in models}
    for _, fold in drawn.folds.groupby("fold"):
        banks = banks_of_fold(drawn, fold, settings, seed)
        for name, block in models.items():
            table = cross_predict(
                partial(unfitted, block),
                bags_of(patients, banks[block["features"]] if "features" in block else None),
                labels_of(patients),
                clinical_of(patients),
                fold,
                np.array([], dtype=np.int64),
                seed,
            )
            predictions[name].append(table)
    return predictions


def unfitted(block: Mapping[str, Any], seed: int) -> AnyModel:
    """A model of this block, the seed by position."""
    return create(block, seed=seed)


def score(
    drawn: DrawnCohort,
    predictions: Mapping[str, list[pd.DataFrame]],
    blends: Mapping[str, Any],
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The score table with the column `naive`, and the scored decisions."""
    patients, rule = drawn.cohort.patients, settings["decision"]["threshold"]
    repeat_of: dict[Any, int] = drawn.folds.groupby("fold")["repeat"].first().to_dict()
    optimistic = naive.naive_scores(
        predictions, list(repeat_of.values()), patients, recipes(rule=naive.RULE, **blends)
    )
    everything = {name: list(tables) for name, tables in predictions.items()}
    for place in range(len(repeat_of)):
        members = MemberPredictions.from_tables(
            {name: tables[place] for name, tables in predictions.items()}, patients
        )
        for name, table in blend_fold(members, recipes(rule=rule, **blends), rule)[0].items():
            everything.setdefault(name, []).append(table)
    decided = pd.concat(
        [
            decision_table(table, model=name, fold=fold, repeat=repeat, rule=rule_for(name, rule))
            for name, tables in everything.items()
            for (fold, repeat), table in zip(repeat_of.items(), tables, strict=True)
        ]
    )
    scores = score_table(decided, list(everything), seed=seed, **settings["uncertainty"])
    return scores.assign(naive=scores["model"].map(optimistic)), decided


def run(settings: Mapping[str, Any], seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The score table of one cohort, from its pixels, and the scored decisions."""
    plan = make_plan(settings, locate("demo", ROOT), list(settings["models"]), ROOT)
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw(settings, Path(folder), seed)
        predictions = predict(drawn, plan.blocks(plan.models), settings, seed)
    return score(drawn, predictions, plan.blends, settings, seed)


def cached_scores(work: Path, settings: Mapping[str, Any], seed: int) -> pd.DataFrame:
    """The cohort's score table, read from the folder, or computed and saved there."""
    name = f"{settings_digest(settings)}-{seed:03d}"
    scores, decided = work / f"{name}-scores.csv", work / f"{name}-decisions.csv"
    if not scores.exists():
        with threadpool_limits(1), redirect_stderr(StringIO()):
            table, decisions = run(settings, seed)
        decisions.to_csv(decided, index=False)
        table.assign(cohort=seed).to_csv(scores.with_suffix(".part"), index=False)
        scores.with_suffix(".part").rename(scores)  # a table under its final name is complete
    return pd.read_csv(scores)


def report(scores: pd.DataFrame, settings: Mapping[str, Any]) -> Iterator[Any]:
    """The printed report: the table of the models, then the findings as sentences."""
    known: dict[str, float] = {"truth": CHANCE, "level": settings["uncertainty"]["level"]}
    k = settings["folds"]["k"]
    factor = 1 / widening(k, k - 1)
    yield coverage_terminal_table(scores, **known)
    for metric, name in PANELS:
        yield from coverage_sentences(scores, metric, name, factor=factor, **known)
    yield naive_sentence(scores, **known)


def title_of(scores: pd.DataFrame, signal: float, level: float) -> str:
    """The title of the figure: the finding in a line."""
    missed = sum(misses_by_cohort(scores, metric, CHANCE)["either"].sum() for metric, _ in PANELS)
    return (
        f"Signal {signal:g}, {scores['cohort'].nunique()} cohorts of {scores['n_patients'].max()} "
        f"patients: {missed} of {len(PANELS) * len(scores)} intervals miss 0.5 "
        f"({missed / len(PANELS) / len(scores):.0%}, nominal {1 - level:.0%})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--signal", type=float, default=0.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    settings = settings_of({"simulate": {"signal": arguments.signal}})
    tables = []
    for seed in range(1, arguments.cohorts + 1):
        began = time.process_time()
        tables.append(cached_scores(arguments.work, settings, seed))
        print(f"cohort {seed}: {time.process_time() - began:.0f} s of one core", flush=True)
    scores = pd.concat(tables, ignore_index=True)
    console = Console(width=120, highlight=False)
    for part in report(scores, settings):
        console.print(part, markup=False, soft_wrap=isinstance(part, str))
    if arguments.out:
        scores.to_csv(arguments.out, index=False)
    if arguments.figure:
        level = settings["uncertainty"]["level"]
        title = title_of(scores, arguments.signal, level)
        figure = coverage_figure(scores, truth=CHANCE, level=level, title=title)
        figure.savefig(arguments.figure, dpi=110)


if __name__ == "__main__":
    main()
