import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from lymphokit.pseudo_labels.cells_figure import additions_gallery, stain_figure
from lymphokit.pseudo_labels.rounds_figure import accuracy_curves, rounds_figure

NAMED = {"moved": "as photographed", "onto": "labelled cells"}


def text_of(figure: Figure) -> str:
    figure.draw_without_rendering()
    return "\n".join(
        text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
    )


def curves(axes: Axes, width: float) -> list[NDArray[np.float64]]:
    """The points of the lines of a width, those of legends left out."""
    lines = [line for line in axes.lines if line.get_linewidth() == width and is_solid(line)]
    return [line.get_xydata() for line in lines if len(line.get_xdata())]


def is_solid(line: Line2D) -> bool:
    return line.get_linestyle() == "-"


# --- the cells added -----------------------------------------------------------------------------


def added(per_round: list[int]) -> pd.DataFrame:
    """As many cells of either label in each round as listed."""
    rows = [
        (number, label, f"P{place}{'TR'[1 - label]}", f"{place}.jpg", 0.9 if label else 0.1)
        for number, count in enumerate(per_round, start=1)
        for label in (1, 0)
        for place in range(count)
    ]
    return pd.DataFrame(rows, columns=["round", "label", "patient", "image", "probability"])


def pictures(n: int, size: int = 4) -> list[NDArray[np.uint8]]:
    """Images told apart by their grey."""
    return [np.full((size, size, 3), grey % 256, dtype=np.uint8) for grey in range(n)]


def test_the_gallery_shows_every_cell_once_and_none_over_another():
    table = added([2, 5, 3])
    images = pictures(len(table))
    drawn = additions_gallery(table, images, fold=1).axes[0].images
    assert [int(image.get_array()[0, 0, 0]) for image in drawn] == list(range(20))
    boxes = [image.get_extent() for image in drawn]
    for i, (left, right, bottom, top) in enumerate(boxes):
        assert right - left == pytest.approx(bottom - top)
        for other in boxes[:i]:
            assert left > other[1] or right < other[0] or top > other[2] or bottom < other[3]


def test_positives_stand_left_of_negatives_and_later_rounds_lower_in_any_order_of_rows():
    table = added([2, 5]).sample(frac=1, random_state=0)
    drawn = additions_gallery(table, pictures(len(table)), fold=1).axes[0].images
    lefts = np.array([image.get_extent()[0] for image in drawn])
    tops = np.array([image.get_extent()[3] for image in drawn])
    positive, first = (table["label"] == 1).to_numpy(), (table["round"] == 1).to_numpy()
    widths = drawn[0].get_extent()[1] - drawn[0].get_extent()[0]
    assert lefts[positive].max() + widths < lefts[~positive].min()
    assert len(set(tops[first])) == len(set(tops[~first])) == 1
    assert tops[first][0] < tops[~first][0]


def test_the_gallery_of_the_reports_rounds_fits_a_page_and_nothing_leaves_it():
    table = added([2] * 5 + [5] * 18)
    figure = additions_gallery(table, pictures(len(table)), fold=1)
    width, height = figure.get_size_inches()
    assert width <= 10
    assert height <= 20 + 1e-9
    renderer = FigureCanvasAgg(figure).get_renderer()
    for artist in [*figure.axes[0].texts, *figure.axes[0].images]:
        drawn = artist.get_window_extent(renderer)
        assert drawn.x0 >= 0
        assert drawn.y0 >= 0
        assert drawn.x1 <= figure.bbox.x1
        assert drawn.y1 <= figure.bbox.y1


def test_numbers_of_the_gallery_overlap_neither_each_other_nor_cells():
    table = added([2] * 5 + [5] * 18).assign(probability=0.99999)
    figure = additions_gallery(table, pictures(len(table)), fold=1)
    figure.draw_without_rendering()
    numbers = [text for text in figure.axes[0].texts if text.get_text() == ">0.999"]
    assert len(numbers) == 200
    boxes = [number.get_window_extent() for number in numbers]
    cells = [image.get_window_extent() for image in figure.axes[0].images]
    for box, own in zip(boxes, cells, strict=True):
        assert own.x0 < (box.x0 + box.x1) / 2 < own.x1
        assert sum(box.overlaps(other) for other in [*boxes, *cells]) == 1


def test_the_gallery_counts_cells_patients_and_the_most_of_one():
    figure = additions_gallery(added([2, 5]), pictures(14), fold=3)
    text = text_of(figure)
    assert "Fold 3: n = 14 cells added, of 10 patients" in text
    assert "Abnormal: 7 cells of 5 patients, at most 2 of one." in text
    assert "Healthy: 7 cells of 5 patients, at most 2 of one." in text


@pytest.mark.parametrize(
    ("probability", "printed"),
    [(0.99996, ">0.999"), (1.0, "1.000"), (0.00004, "<0.001"), (0.0, "0.000"), (0.8764, "0.876")],
)
def test_nothing_uncertain_is_printed_as_certain(probability, printed):
    table = added([1]).assign(probability=probability)
    texts = additions_gallery(table, pictures(2), fold=1).axes[0].texts
    assert [text.get_text() for text in texts].count(printed) == 2


def test_a_gallery_with_one_label_says_that_the_other_has_no_cells():
    table = added([2]).query("label == 1")
    text = text_of(additions_gallery(table, pictures(2), fold=1))
    assert "Healthy: 0 cells of 0 patients." in text


@pytest.mark.parametrize(("per_round", "n_images"), [([], 0), ([1], 3)])
def test_cells_without_an_image_each_are_refused(per_round, n_images):
    with pytest.raises(ValueError, match="one image for each cell"):
        additions_gallery(added(per_round), pictures(n_images), fold=1)


# --- the stain -----------------------------------------------------------------------------------


def test_the_stain_figure_has_a_named_row_for_each_kind_of_cell():
    figure = stain_figure(pictures(3, 4), pictures(3, 4), pictures(2, 6), **NAMED)
    tops = [image.get_extent()[3] for image in figure.axes[0].images]
    assert [tops.count(top) for top in sorted(set(tops))] == [3, 3, 2]
    text = text_of(figure)
    named = [text.index(name) for name in ("as photographed", "stain matched", "labelled cells\n")]
    assert named == sorted(named)
    assert text.count("n = 3, 4 x 4 px") == 2
    assert "n = 2, 6 x 6 px" in text


def test_images_of_different_sizes_are_drawn_alike_large():
    figure = stain_figure(pictures(1, 4), pictures(1, 4), pictures(1, 9), **NAMED)
    extents = np.array([image.get_extent() for image in figure.axes[0].images])
    np.testing.assert_allclose(extents[:, 1] - extents[:, 0], extents[0, 1] - extents[0, 0])
    np.testing.assert_allclose(extents[:, 2] - extents[:, 3], extents[0, 1] - extents[0, 0])


def test_an_empty_row_is_refused_by_name():
    with pytest.raises(ValueError, match="no images of stain matched, labelled cells"):
        stain_figure(pictures(1), [], [], **NAMED)


# --- the rounds ----------------------------------------------------------------------------------


def rounds_of(n_folds: int = 2, last: int = 3, simulated: bool = False) -> pd.DataFrame:
    """Values that differ between folds by 0.1, and by 0.01 from round to round."""
    rows = [(fold, number) for fold in range(1, n_folds + 1) for number in range(last + 1)]
    table = pd.DataFrame(rows, columns=["fold", "round"])
    value = 0.5 + 0.1 * table["fold"] + 0.01 * table["round"]
    later = value.where(table["round"] > 0)
    return table.assign(
        confidence=later,
        least_confidence=later - 0.2,
        labelled_accuracy=value,
        auc=value,
        truly_abnormal=later if simulated else np.nan,
    )


@pytest.mark.parametrize("simulated", [False, True])
def test_the_truth_is_drawn_only_where_it_is_known(simulated):
    figure = rounds_figure(rounds_of(simulated=simulated), labelled=60)
    assert len(figure.axes) == 3 + simulated
    assert ("simulated truth" in text_of(figure)) is simulated


@pytest.mark.parametrize("simulated", [False, True])
def test_rounds_from_bags_have_no_panel_of_labelled_cells(simulated):
    table = rounds_of(simulated=simulated).assign(labelled_accuracy=np.nan)
    figure = rounds_figure(table, labelled=0)
    assert len(figure.axes) == 2 + simulated
    assert "labelled cells" not in text_of(figure)


def test_every_fold_is_a_thin_line_and_their_mean_a_thick_one():
    panel = rounds_figure(rounds_of(), labelled=60).axes[1]
    first, second = curves(panel, 1.0)
    (mean,) = curves(panel, 2.8)
    np.testing.assert_allclose(first, np.transpose([range(4), [0.6, 0.61, 0.62, 0.63]]))
    np.testing.assert_allclose(second, np.transpose([range(4), [0.7, 0.71, 0.72, 0.73]]))
    np.testing.assert_allclose(mean, np.transpose([range(4), [0.65, 0.66, 0.67, 0.68]]))


def test_confidence_shows_the_median_and_the_least_confident_cell():
    panel = rounds_figure(rounds_of(), labelled=60).axes[0]
    least, median = curves(panel, 2.8)
    np.testing.assert_allclose(median[1:, 1] - least[1:, 1], 0.2)
    assert np.isnan(median[0, 1])


def test_a_fold_without_an_auc_is_left_out_of_the_mean():
    table = rounds_of()
    table.loc[table["fold"] == 2, "auc"] = np.nan
    (mean,) = curves(rounds_figure(table, labelled=60).axes[2], 2.8)
    np.testing.assert_allclose(mean[:, 1], [0.6, 0.61, 0.62, 0.63])


def test_forgetting_is_measured_from_round_0_and_auc_from_chance():
    figure = rounds_figure(rounds_of(simulated=True), labelled=60)
    levels = [
        [line.get_ydata()[0] for line in axes.lines if not is_solid(line)] for axes in figure.axes
    ]
    assert levels == [[], [pytest.approx(0.65)], [0.5], [0.9]]


def test_all_values_lie_inside_the_panels():
    table = rounds_of(simulated=True)
    table.loc[2, ["least_confidence", "labelled_accuracy", "auc", "truly_abnormal"]] = 0.07
    for axes in rounds_figure(table, labelled=60).axes:
        bottom, top = axes.get_ylim()
        assert 0 <= bottom < 0.07
        assert top > 1


@pytest.mark.filterwarnings("error")
def test_an_auc_that_no_fold_has_is_no_fault():
    figure = rounds_figure(rounds_of().assign(auc=np.nan), labelled=60)
    assert "chance" in text_of(figure)


def test_the_rounds_state_n_the_folds_and_the_units():
    text = text_of(rounds_figure(rounds_of(n_folds=5, last=1), labelled=60))
    assert "Semi-supervised phase, 1 round, 5 folds" in text
    for part in ("n = 60", "Round", "share of cells", "Probability", "AUC"):
        assert part in text


def test_a_round_twice_is_refused():
    table = rounds_of()
    with pytest.raises(ValueError, match="duplicate"):
        rounds_figure(pd.concat([table, table.tail(1)]), labelled=60)


# --- learning from labelled cells ----------------------------------------------------------------

HISTORY = pd.DataFrame(
    {
        "network": ["alexnet"] * 3 + ["vgg19"] * 3,
        "epoch": [1, 2, 3] * 2,
        "accuracy": [0.5, 0.85, 0.85, 0.75, 1.0, 0.95],
        "loss": [0.6, 0.5, 0.4, 0.5, 0.2, 0.1],
    }
)


def test_the_legend_has_the_first_best_epoch_with_its_wilson_interval_best_network_first():
    axes = accuracy_curves(HISTORY, n=20).axes[0]
    # z = 1.96, n = 20; of 20 right: 20 / (20 + z^2) to 1; of 17 by the formula of Wilson 1927.
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "vgg19: 1.00 (0.84 to 1.00), epoch 2",
        "alexnet: 0.85 (0.64 to 0.95), epoch 2",
    ]


def test_each_network_has_its_accuracy_above_and_its_loss_below_in_one_colour():
    accuracy, loss = accuracy_curves(HISTORY.iloc[::-1], n=20).axes
    above = {line.get_color(): line.get_ydata() for line in accuracy.lines if line.get_lw() == 1.8}
    below = {line.get_color(): line.get_ydata() for line in loss.lines}
    assert [list(line) for line in above.values()] == [[0.75, 1.0, 0.95], [0.5, 0.85, 0.85]]
    assert [list(line) for line in below.values()] == [[0.5, 0.2, 0.1], [0.6, 0.5, 0.4]]
    assert list(above) == list(below)


def test_best_epochs_at_one_place_are_both_seen():
    equal = HISTORY.assign(accuracy=[0.5, 1.0, 0.9, 0.6, 1.0, 0.9])
    points = [p for p in accuracy_curves(equal, n=20).axes[0].lines if p.get_marker() == "o"]
    assert [point.get_xydata().tolist() for point in points] == [[[2, 1]], [[2, 1]]]
    upper, lower = sorted(points, key=lambda point: -point.get_zorder())
    assert upper.get_markersize() < lower.get_markersize()


def test_the_curves_state_n_and_the_units():
    text = text_of(accuracy_curves(HISTORY, n=20))
    for part in ("n = 20 held out", "95% Wilson", "Epoch", "nats", "share of cells"):
        assert part in text
