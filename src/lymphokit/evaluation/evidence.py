"""Evidence of a prediction: the scores of its cells, and whether the call rests on them.

Two tables of the patients that a fitted model did not see. In the first a row is a cell. In the
second a row is a patient with a part of their cells alone, and without that part: the first cells
in the order of the scores, or as many at random. What keeps a call, and what is left of it, follows
from these probabilities and the threshold, which is chosen later.
Source: sufficiency and comprehensiveness of DeYoung et al. 2020 (ERASER), with cells for words.
Departs: in numbers of cells, and beside cells in random order.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lymphokit.bags.contract import AnyModel, AttendsToCells, ScoresCells
from lymphokit.bags.packed import Bags, Clinical
from lymphokit.evaluation.metrics import Floats

CELL_SCORE_COLUMNS = ["patient", "part", "place", "score"]
SUBSET_COLUMNS = ["patient", "order", "n_cells", "alone", "without"]
ALL = "all"
HIGHEST, LOWEST, ATTENTION, RANDOM = "highest", "lowest", "attention", "random"
N_RANDOM = 5
_MOST_BYTES = 8 * 1024**2  # of copied cells at a time
Order = NDArray[np.int64]


def fold_evidence(
    model: AnyModel, bags: Bags, clinical: Clinical, fold: pd.DataFrame, test: Order, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables for the model of a fold: cells of validation and test patients, and subsets.

    bags and clinical hold all patients; fold: its rows of folds.csv; test: positions of the test
    patients, for whom there are no subsets. Empty without scores of cells, and for repeats of the
    folds after the first, since one score a patient is shown.
    """
    if not isinstance(model, ScoresCells) or fold["repeat"].iloc[0] > 1:
        return pd.DataFrame(columns=CELL_SCORE_COLUMNS), pd.DataFrame(columns=SUBSET_COLUMNS)
    named = fold.loc[fold["part"] == "validation", "patient"]
    validation = np.flatnonzero(np.isin(bags.ids, named))
    held_out = bags.take(validation)
    scored = [cell_score_table(model, held_out, "validation")]
    scored += [cell_score_table(model, bags.take(test), "test")] if len(test) else []
    cells = pd.concat(scored, ignore_index=True)
    subsets = subset_table(model, held_out, clinical.take(validation), scored[0], seed)
    return cells, subsets


def cell_score_table(model: ScoresCells, bags: Bags, part: str) -> pd.DataFrame:
    """The score of each cell, a row a cell.

    place: of the cell among those of its patient, from 0; score: the model's, higher is more
    tumoral; attention_1 and so on, where the model has attention: its weight in the bag by each
    ensemble member.
    """
    columns = {
        "patient": [bags.ids[bag] for bag in bags.bag_of],
        "part": part,
        "place": np.arange(len(bags.instances)) - np.repeat(bags.offsets[:-1], bags.sizes),
        "score": np.asarray(model.cell_scores(bags), dtype=np.float64),
    }
    attention = {}
    if isinstance(model, AttendsToCells):
        shares = model.member_shares(bags)
        attention = {f"attention_{member}": row for member, row in enumerate(shares, start=1)}
    return pd.DataFrame(columns | attention)


def subset_table(
    model: AnyModel, bags: Bags, clinical: Clinical, cells: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Probabilities with a part of the cells alone, and without it.

    cells: the rows of `cell_score_table` for these bags. order: `highest` or `lowest` scores
    first, `attention` for the highest attention first, or random1 and so on; n_cells: how many
    cells in that order, and a row `all`; alone: the probability of a bag of
    these cells; without: of a bag of the others. One patient at a time, since copies of cells fill
    memory.
    """
    attention = cells.filter(regex=r"^attention_\d+$").to_numpy(np.float64)
    scores = cells["score"].to_numpy(np.float64)
    tables = []
    for bag, (first, end) in enumerate(pairwise(bags.offsets)):
        rng = np.random.default_rng([seed, bag])
        orders = cell_orders(scores[first:end], attention[first:end], rng)
        tables.append(_of_patient(model, bags.take([bag]), clinical.take([bag]), orders))
    return pd.concat(tables, ignore_index=True)


def cell_orders(scores: Floats, attention: Floats, rng: np.random.Generator) -> dict[str, Order]:
    """The orders in which cells of a patient are kept; ties keep the order of the cells.

    scores (n_cells,), attention (n_cells, n_members), with no member where there is none.
    """
    orders = {
        HIGHEST: np.argsort(-scores, kind="stable"),
        LOWEST: np.argsort(scores, kind="stable"),
    }
    if attention.shape[1]:
        orders[ATTENTION] = np.argsort(-attention.mean(axis=1), kind="stable")
    drawn = {f"{RANDOM}{draw}": rng.permutation(len(scores)) for draw in range(1, N_RANDOM + 1)}
    return orders | drawn


def kept_numbers(n_cells: int) -> list[int]:
    """Numbers of cells to keep, below n_cells: 1, 2, 3, 4, then about half as many again."""
    numbers = [1]
    while numbers[-1] < n_cells:
        numbers.append(max(numbers[-1] + 1, round(1.4 * numbers[-1])))
    return [number for number in numbers if number < n_cells]


def _of_patient(
    model: AnyModel, bag: Bags, clinical: Clinical, orders: dict[str, Order]
) -> pd.DataFrame:
    """The rows of one patient, the whole bag first."""
    n_cells = len(bag.instances)
    numbers = kept_numbers(n_cells)
    steps = [(name, number) for name in orders for number in numbers]
    parts = [np.arange(n_cells)]
    parts += [orders[name][:number] for name, number in steps]
    parts += [orders[name][number:] for name, number in steps]
    probabilities = _predicted(model, bag, clinical, parts)
    columns = {
        "patient": bag.ids[0],
        "order": [ALL, *(name for name, _ in steps)],
        "n_cells": [n_cells, *(number for _, number in steps)],
        "alone": probabilities[: 1 + len(steps)],
        "without": [np.nan, *probabilities[1 + len(steps) :]],
    }
    return pd.DataFrame(columns, columns=SUBSET_COLUMNS)


def _predicted(
    model: AnyModel, bag: Bags, clinical: Clinical, parts: list[Order]
) -> NDArray[np.float64]:
    """The probability of each part of a bag, (n_parts,), a few at a time: they are copies."""
    cells = np.asarray(bag.instances)  # read once, where they are on disk
    most = max(1, _MOST_BYTES // cells[0].nbytes)
    chunks = np.cumsum([len(part) for part in parts]) // most
    probabilities = []
    for chunk in np.unique(chunks):
        # In the order of the bag: sums of the same cells in another order are rounded otherwise.
        kept = [cells[np.sort(parts[place])] for place in np.flatnonzero(chunks == chunk)]
        everyone = clinical.take(np.zeros(len(kept), dtype=np.int64))
        subsets = Bags.pack(kept, bag.ids * len(kept))
        probabilities.append(model.predict_proba(subsets, everyone))
    return np.concatenate(probabilities)
