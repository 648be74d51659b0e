"""What the stain test shows, in words."""

from typing import Any, Literal

import pandas as pd

from lymphokit.figures.terminal_tables import with_interval
from lymphokit.robustness.stain_cohort import NONE
from lymphokit.robustness.stain_columns import BOTH, GLASS, RED_CELLS
from lymphokit.robustness.stain_test import ALONE, KNOWN, PRODUCT, TOGETHER

Verdict = Literal["survives", "survives in part", "rests on colour", "no better than chance"]
_LIMIT = (
    "One cohort cannot tell anaemia from acquisition: both make red cells paler. Patients of a "
    "second laboratory can."
)


def verdict(table: pd.DataFrame, model: str | None = None) -> Verdict:
    """Whether the image score of a model outlasts the removal of glass and red-cell colour.

    table: of `stain_table`; model: by default that of the product. By AUC of the images alone:
    `no better than chance` where its interval includes 0.5 before any removal, so that there is
    nothing to remove; `rests on colour` where it includes 0.5 afterwards; `survives in part` where
    the paired difference to the control lies below 0, or the estimate below the interval of the
    control, a fall that so few patients do not prove; else `survives`.
    """
    name = model or product_model(table)
    if not _number(table, name, "score")["low"] > 0.5:  # NaN too
        return "no better than chance"
    removed, control = (_number(table, name, each, BOTH) for each in ("removed", "control"))
    if not removed["low"] > 0.5:
        return "rests on colour"
    falls = _number(table, name, "removed - control", BOTH)["high"] < 0
    return "survives in part" if falls or removed["estimate"] < control["low"] else "survives"


def survives(table: pd.DataFrame) -> bool:
    """Whether the image score of the product outlasts the removal, at least in part."""
    return verdict(table) in ("survives", "survives in part")


def product_model(table: pd.DataFrame) -> str:
    """The model whose log odds enter the product: all together, or the only one."""
    tested = table.loc[table["quantity"] == "removed", "model"]
    return TOGETHER if (tested == TOGETHER).any() else str(tested.iloc[0])


def warning(table: pd.DataFrame) -> str:
    """The note under the score table; empty where the image score survives whole."""
    if verdict(table) == "survives":
        return ""
    return f"stain test: {headline(table)}. {_fall(table)} {_gain(table)}"


def stain_sentences(table: pd.DataFrame) -> list[str]:
    """The results of the product's images, and what can be concluded from them."""
    name = product_model(table)
    nuisance = _shown(_number(table, name, "gain", score=KNOWN))
    sentences = [
        f"{headline(table)}. {_fall(table)}",
        f"{_gain(table)} Over age, count and all nuisance columns it is {nuisance}.",
    ]
    for other in _only_scored(table):
        alone, both = (
            _shown(_number(table, other, "score", score=score)) for score in (ALONE, PRODUCT)
        )
        sentences.append(f"{other}: AUC {alone} alone, {both} with age and count.")
    correlations = [
        f"{_shown(rows.iloc[0].to_dict())} with the density of {place}"
        for place in (RED_CELLS, GLASS)
        if len(rows := _rows(table, name, "correlation", place, "rank_correlation", ALONE))
    ]
    if correlations:
        sentences.append(f"Rank correlation of the image score: {', '.join(correlations)}.")
    return [*sentences, _LIMIT]


def headline(table: pd.DataFrame) -> str:
    """The verdict on the images of the product in a line."""
    match verdict(table):
        case "survives":
            return "The images predict the label without the colour of glass and red cells, too"
        case "survives in part":
            return "Part of the image score goes with the colour of glass and red cells"
        case "rests on colour":
            return "The image score does not survive without the colour of glass and red cells"
        case _:
            return (
                "The image score is not shown to be better than chance; there is nothing to remove"
            )


def _fall(table: pd.DataFrame) -> str:
    name = product_model(table)
    before = _shown(_number(table, name, "score"))
    removed, control, fall = (
        _shown(_number(table, name, quantity, BOTH))
        for quantity in ("removed", "control", "removed - control")
    )
    return (
        f"AUC of the images alone {before}, without glass and red-cell colour {removed}, without "
        f"those of other patients {control}, difference {fall}."
    )


def _gain(table: pd.DataFrame) -> str:
    before, removed, control = (
        _shown(_number(table, product_model(table), *which, score=PRODUCT))
        for which in (("gain", NONE), ("gain, removed", BOTH), ("gain, control", BOTH))
    )
    return (
        f"Their gain of AUC over age and count is {before}, with these colours removed {removed}, "
        f"in the control {control}."
    )


def _only_scored(table: pd.DataFrame) -> list[str]:
    """The models that nothing was removed from."""
    scored = table.loc[table["score"] == ALONE, ["model", "quantity"]]
    tested = scored.loc[scored["quantity"] == "removed", "model"]
    return [name for name in scored["model"].unique() if name not in set(tested)]


def _rows(
    table: pd.DataFrame, model: str, quantity: str, columns: str, metric: str, score: str
) -> pd.DataFrame:
    wanted = {"model": model, "quantity": quantity, "columns": columns, "metric": metric}
    wanted["score"] = score
    return table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]


def _number(
    table: pd.DataFrame, model: str, quantity: str, columns: str = NONE, *, score: str = ALONE
) -> dict[Any, Any]:
    """The row of an AUC."""
    return dict(_rows(table, model, quantity, columns, "auc", score).iloc[0])


def _shown(row: dict[Any, Any]) -> str:
    return with_interval(row["estimate"], row["low"], row["high"])
