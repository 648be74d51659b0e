"""Features of cells with and without the memory of freed blocks, which the workflow keeps.

    python benchmarks/kept_memory.py [--images 320] [--repeats 5]

Each process computes features of random images by EfficientNet-Lite0 with random weights, as the
bank `cell_colour` does. Prints images a second (the median) and peak memory of both settings of
glibc; the features must have the same bytes. The ratio is printed last.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from hashlib import sha256

# As the jobs of the workflow have it, see workflow/rules/common.smk.
KEPT = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**30))


def main() -> None:
    """Run both settings in turn, in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", action="store_true", help="measure in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measured(arguments.images)))
        return
    plain = {name: value for name, value in os.environ.items() if name not in KEPT}
    runs: dict[str, list[dict[str, object]]] = {"returned": [], "kept": []}
    for _ in range(arguments.repeats):
        for name, environment in (("returned", plain), ("kept", plain | KEPT)):
            runs[name].append(run(arguments.images, environment))
    digests = {each["sha256"] for each in [*runs["returned"], *runs["kept"]]}
    if len(digests) > 1:
        raise SystemExit("the features differ")
    speeds = {}
    for name, each in runs.items():
        speeds[name] = statistics.median(float(str(one["images_per_second"])) for one in each)
        memory = statistics.median(float(str(one["peak_mb"])) for one in each)
        print(f"{name}: {speeds[name]:.0f} images/s, {memory:.0f} MB")
    print(
        f"RATIO features with freed memory kept, against returned: "
        f"{speeds['kept'] / speeds['returned']:.1f}x, results of the same bytes"
    )


def run(images: int, environment: dict[str, str]) -> dict[str, object]:
    """One measurement in a process with these environment variables."""
    command = [sys.executable, __file__, "--measure", "--images", str(images)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, object] = json.loads(printed.stdout)
    return result


def measured(n_images: int) -> dict[str, object]:
    """Images a second, peak memory of the process in MB, and the digest of the features."""
    import numpy as np
    import torch

    from lymphokit.features.backbone import load_backbone
    from lymphokit.features.stages import encode_cells

    torch.set_num_threads(2)
    backbone = load_backbone("tf_efficientnet_lite0", weights="none", sha256=None, seed=0)
    images = np.random.default_rng(0).integers(0, 256, (n_images, 160, 160, 3), dtype=np.uint8)
    views = [(image, np.ones((160, 160), dtype=bool)) for image in images]
    settings = {"batch_size": 16, "stages": [-2, -1], "pool": ["cell"]}
    list(encode_cells(backbone, views[:16], settings))
    start = time.perf_counter()
    features = np.concatenate(list(encode_cells(backbone, views, settings)))
    seconds = time.perf_counter() - start
    return {
        "images_per_second": n_images / seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sha256": sha256(features.tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    main()
