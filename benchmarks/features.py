"""Features of image files: ours against the usual DataLoader.

    python benchmarks/features.py [--images 48] [--repeats 5] [--threads 2]

The usual way: torch's DataLoader with two workers, Pillow, timm's transform, float32, batches of
32. Ours: the functions that the rule `backbone` runs. Networks have random weights, which cost the
same; where LYMPHOKIT_DATA names the folder of the real data, images are real and EfficientNet has
its trained weights. Both see each image whole at 224 pixels. Features in float32 must be equal but
for rounding; those in bfloat16 must rank the images alike. Ratios are printed last.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from lymphokit.features.backbone import Backbone, encode_images, load_backbone
from lymphokit.features.compute import resolve_precision
from lymphokit.features.inference import for_inference
from lymphokit.imaging.image_files import ImageFiles
from lymphokit.simulation.cohort import Design, draw_bag, enrol

SIDE = 224
TARGETS = {"tf_efficientnet_lite0.in1k": 6, "resnet50.tv_in1k": 6, "vgg19.tv_in1k": 4}
WEIGHTS = {"tf_efficientnet_lite0.in1k": "weights/tf_efficientnet_lite0.imagenet.safetensors"}
Features = NDArray[np.float32]


class Files(Dataset[Tensor]):
    """Image files as a data set of torch, each read by Pillow and normalised."""

    def __init__(self, paths: list[Path], backbone: Backbone) -> None:
        self.paths = paths
        self.mean, self.std = backbone.mean, backbone.std

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> Tensor:
        pixels = np.asarray(Image.open(self.paths[position]).convert("RGB"))
        return (torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255 - self.mean) / self.std


def usual(backbone: Backbone, network: nn.Module, paths: list[Path]) -> Features:
    """The loop of most notebooks."""
    loader = DataLoader(Files(paths, backbone), batch_size=32, num_workers=2)
    with torch.no_grad():
        return torch.cat([network(batch) for batch in loader]).numpy()


def ours(backbone: Backbone, paths: list[Path], precision: str, batch_size: int) -> Features:
    """The functions of the rule `backbone`, with the copy of the network that it makes."""
    fast = for_inference(backbone, precision)
    images = ImageFiles(Path("/"), [str(path) for path in paths], SIDE)
    return np.concatenate(list(encode_images(fast, images, batch_size=batch_size)))


def image_files(folder: Path, n: int) -> list[Path]:
    """Real images where they are to be had, else simulated ones written into the folder."""
    if data := os.environ.get("LYMPHOKIT_DATA"):
        found = sorted(Path(data).glob("dlmi-lymphocytosis-classification/t*set/*/*.jpg"))
        return [found[i].resolve() for i in np.linspace(0, len(found) - 1, n).astype(int)]
    design = Design(7, 0.69, (8, 8), (0.25, 0.9), signal=1.0, stain_signal=0.0)
    return list(_written(folder, n, design))


def _written(folder: Path, n: int, design: Design) -> Iterator[Path]:
    patients = enrol(7, -(-n // 8), 0, 0.69)
    images = (image for patient in patients for image in draw_bag(patient, design).images)
    for number, image in zip(range(n), images, strict=False):
        path = folder / f"{number}.jpg"
        Image.fromarray(cv2.resize(image, (SIDE, SIDE))).save(path, quality=95)
        yield path


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def loaded(name: str) -> Backbone:
    """A backbone with its trained weights where they are to be had, else with random ones."""
    file = Path(os.environ.get("LYMPHOKIT_DATA", "")) / WEIGHTS.get(name, "none.safetensors")
    weights = str(file) if file.is_file() else "none"
    return load_backbone(name, weights=weights, sha256=None, seed=0)


def limit(network: nn.Module, precision: str) -> float:
    """Images a second if the network were one large matrix product: the floor of the machine."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, SIDE, SIDE))
    matrix = torch.rand(2048, 2048).to(getattr(torch, precision))
    took = statistics.median(seconds(lambda: matrix @ matrix) for _ in range(7))
    return float(2 * 2048**3 / took / counter.get_total_flops())


def disagreement(found: Features, expected: Features) -> float:
    """Squared difference, as a share of the variance between images."""
    spread = np.square(expected - expected.mean(axis=0)).sum()
    return float(np.square(found - expected).sum() / spread)


def compare(name: str, paths: list[Path], repeats: int) -> str:
    """Print the images a second of each way for a network; the line of its ratio."""
    backbone = loaded(name)
    plain = usual(backbone, backbone.network, paths[:32])
    exact = ours(backbone, paths[:32], "float32", 16)
    rounded = ours(backbone, paths[:32], "bfloat16", 16)
    if not np.allclose(exact, plain, rtol=1e-3, atol=1e-4 * np.abs(plain).max()):
        raise SystemExit(f"{name}: features differ from those of the plain network")
    if (share := disagreement(rounded, exact)) > 0.05:
        raise SystemExit(f"{name}: bfloat16 moves features by {share:.1%} of their variance")
    precision = resolve_precision("auto")
    ways = {
        "DataLoader, float32": lambda: usual(backbone, backbone.network, paths),
        "ours, float32": lambda: ours(backbone, paths, "float32", 16),
        **{
            f"ours, {precision}, batches of {size}": (
                lambda size=size: ours(backbone, paths, precision, size)
            )
            for size in (8, 16, 32)
        },
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, work in ways.items():
            times[way].append(seconds(work))
    speeds = {way: len(paths) / statistics.median(each) for way, each in times.items()}
    for way, speed in speeds.items():
        print(f"  {way:32} {speed:7.1f} images/s", flush=True)
    most = limit(backbone.network, precision)
    print(f"  {'at the speed of matrix products':32} {most:7.1f} images/s", flush=True)
    chosen, usual_speed = speeds[f"ours, {precision}, batches of 16"], speeds["DataLoader, float32"]
    return (
        f"RATIO features of {name}, {precision}: {chosen:.1f} against {usual_speed:.1f} images/s: "
        f"{chosen / usual_speed:.1f}x (target {TARGETS[name]}x; {chosen / most:.0%} of "
        f"the speed of matrix products), results equal in float32, "
        f"{share:.1%} of their variance apart in bfloat16"
    )


def main() -> None:
    """Compare each network; print the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        paths = image_files(Path(folder), arguments.images)
        lines = []
        for name in TARGETS:
            print(name, flush=True)
            lines.append(compare(name, paths, arguments.repeats))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
