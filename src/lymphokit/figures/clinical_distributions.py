"""Age and lymphocyte count of the training patients by label (report, figures 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.style import CAPTION, LABELS, clean_axes

BINS = 15
LINES = {0: "-", 1: "--"}  # line of the median, so that the labels differ without colour


@dataclass(frozen=True)
class Attribute:
    """A clinical attribute as the figure names it: title, label of the x axis, kind of its bins."""

    title: str
    axis: str
    logarithmic: bool


AGE = Attribute("Age", "Age, years", logarithmic=False)
LYMPHOCYTES = Attribute(
    "Lymphocyte count", "Lymphocyte count, 10⁹ per litre, logarithmic", logarithmic=True
)


def distribution_figure(
    values: NDArray[np.floating], labels: Sequence[int], attribute: Attribute
) -> Figure:
    """Draw one histogram per label on common bins; a bar is a share of the patients of its label.

    values (n_patients,), labels (n_patients,) in {0 reactive, 1 tumoral}. Patients without a value
    (NaN) are counted in the caption and not drawn. The lymphocyte count has bins of equal width on
    a logarithmic axis, since a few patients have counts many times the median.
    Source: report 3.1, figures 1 and 2. Departs: shares, since the labels are imbalanced; the
    logarithmic axis.
    """
    known = np.isfinite(values)
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    edges = _edges(values[known], attribute.logarithmic)
    for label in (0, 1):
        chosen = values[known & (np.asarray(labels) == label)]
        if not len(chosen):
            continue
        name, colour = LABELS[label]
        weights = np.full(len(chosen), 1 / len(chosen))
        axes.hist(
            chosen, edges.tolist(), weights=weights, color=colour, alpha=0.45, edgecolor=colour,
            label=f"{name}, n = {len(chosen)} patients",
        )  # fmt: skip
        median = float(np.median(chosen))
        text = f"median of {name}: {median:.3g}"
        axes.axvline(median, label=text, color=colour, linestyle=LINES[label], linewidth=1.8)
    if attribute.logarithmic:
        axes.set_xscale("log")
    axes.set(xlabel=attribute.axis, ylabel="Share of the patients of a label")
    axes.set_title(f"{attribute.title} of n = {known.sum()} training patients", fontweight="bold")
    clean_axes(axes, grid="y")
    if known.any():
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    if missing := int((~known).sum()):
        figure.supxlabel(f"{missing} patients without a value are not shown.", **CAPTION)
    return figure


def _edges(values: NDArray[np.floating], logarithmic: bool) -> NDArray[np.float64]:
    """Edges of BINS bins over all values, of equal width on the axis of the figure."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 2.0)
    if low == high:  # one value: a bin around it
        low, high = low * 0.9, high * 1.1 + 1e-9
    space = np.geomspace if logarithmic else np.linspace
    return np.asarray(space(low, high, BINS + 1), dtype=np.float64)
