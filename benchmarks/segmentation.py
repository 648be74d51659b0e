"""Otsu's threshold from a histogram against scikit-learn's KMeans(2) on the same saturations.

Both minimise the variance within two classes. Prints on how many images their classes are the
same, how often either has less variance within, and the ratio of their times; then the time of the
whole segmentation of an image.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from lymphokit.imaging.read import read_image
from lymphokit.imaging.segment import saturation, segment, two_class_threshold
from lymphokit.simulation.cohort import Design, draw_bag, enrol
from lymphokit.whole_cells.whole_cell import whole_cell

SIZE = 224
Channel = NDArray[np.uint8]


def k_means(channel: Channel) -> NDArray[np.bool_]:
    """The upper of two classes, as the report finds it."""
    values = channel.reshape(-1, 1).astype(np.float64)
    labels = KMeans(2, n_init=1, random_state=0).fit_predict(values)
    return np.asarray(labels == labels[channel.argmax()], dtype=np.bool_)


def otsu(channel: Channel) -> NDArray[np.bool_]:
    """The upper of two classes, from a histogram."""
    return np.asarray(channel.ravel() > two_class_threshold(channel), dtype=np.bool_)


def variance_within(channel: Channel, upper: NDArray[np.bool_]) -> float:
    """Sum of squared distances to the means of the classes."""
    values = channel.ravel().astype(np.float64)
    return sum(float(((part - part.mean()) ** 2).sum()) for part in (values[upper], values[~upper]))


def seconds_an_image(work: Callable[[Channel], object], images: list[Channel]) -> float:
    """The median of five passes."""
    passes = []
    for _ in range(5):
        began = time.perf_counter()
        for image in images:
            work(image)
        passes.append((time.perf_counter() - began) / len(images))
    return statistics.median(passes)


def smears(n: int) -> tuple[list[Channel], str]:
    """Images of the real competition where they are to be had, else simulated ones."""
    if folder := os.environ.get("LYMPHOKIT_DATA"):
        paths = sorted(Path(folder).glob("dlmi-lymphocytosis-classification/t*set/*/*.jpg"))
        chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, n).astype(int)]
        return [read_image(path, SIZE) for path in chosen], "real"
    design = Design(7, 0.69, (4, 4), (0.25, 0.9), signal=1.0, stain_signal=0.0)
    patients = enrol(7, -(-n // 4), 0, 0.69)
    return [
        image for patient in patients for image in draw_bag(patient, design).images
    ], "simulated"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40)
    images, kind = smears(parser.parse_args().images)
    cv2.setNumThreads(1)
    channels = [saturation(image) for image in images]
    pairs = [(channel, otsu(channel), k_means(channel)) for channel in channels]
    same = sum(np.array_equal(ours, theirs) for _, ours, theirs in pairs)
    gains = [variance_within(c, theirs) - variance_within(c, ours) for c, ours, theirs in pairs]
    print(f"{len(images)} {kind} images: the same classes on {same}")
    ours, theirs = (sum(sign * gain > 0.5 for gain in gains) for sign in (1, -1))
    print(f"less variance within classes: Otsu on {ours}, KMeans on {theirs}")
    slow, fast = seconds_an_image(k_means, channels), seconds_an_image(otsu, channels)
    nucleus = seconds_an_image(lambda image: segment(image, closing_px=7, dilation_px=5), images)
    print(f"the segmentation of the report, with closing and rim: {1e3 * nucleus:.2f} ms an image")
    print(f"whole cells, the default: {1e3 * seconds_an_image(whole_cell, images):.2f} ms an image")
    print(
        f"RATIO nucleus mask: Otsu's threshold against scikit-learn's KMeans: {slow / fast:.0f}x "
        f"({1e3 * fast:.3f} against {1e3 * slow:.2f} ms), results the same on {same} of "
        f"{len(images)} images, else with less variance within for Otsu on {ours}"
    )


if __name__ == "__main__":
    main()
