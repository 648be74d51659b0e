import numpy as np
import pandas as pd

from lymphokit.figures.confusion import confusion_figure

TYPES = ["basophil", "ig", "platelet"]
PREDICTED = pd.DataFrame(
    [("basophil", "basophil")] * 3 + [("basophil", "ig")] + [("platelet", "platelet")] * 2,
    columns=["type", "called"],
)


def test_rows_are_true_types_and_columns_are_predicted_types() -> None:
    axes = confusion_figure(PREDICTED, TYPES, network="resnet50").axes[0]
    shares = axes.get_images()[0].get_array()
    np.testing.assert_array_equal(shares, [[0.75, 0.25, 0], [0, 0, 0], [0, 0, 1]])
    numbers = {text.get_position(): text.get_text() for text in axes.texts if text.get_text()}
    assert numbers == {(0, 0): "3", (1, 0): "1", (2, 2): "2"}
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["basophil, 4", "immature granulocyte, 0", "platelet, 2"]


def test_the_title_has_accuracy_n_and_wilson_interval() -> None:
    """5 of 6: by the formula, (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n)."""
    figure = confusion_figure(PREDICTED, TYPES, network="resnet50")
    p, n, z2 = 5 / 6, 6, 1.959964**2
    middle, width = p + z2 / (2 * n), np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n**2)))
    low, high = ((middle + sign * width) / (1 + z2 / n) for sign in (-1, 1))
    assert "resnet50" in figure.get_suptitle()
    assert "n = 6 " in figure.get_suptitle()
    assert f"0.83 ({low:.2f} to {high:.2f})" in figure.axes[0].get_title()
