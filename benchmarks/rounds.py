"""A round of pseudo-labelling with a frozen backbone: seconds of training, and of starting up.

    python benchmarks/rounds.py

One core, CPU seconds. The last round at the competition's size: six training subsets (all
training patients, and without each of five inner folds), for each a head on 390 cells of the
cohort and 200 labelled cells of 1,280 features, then predictions for 6,366 cells. The same head is
also fitted by scikit-learn's LogisticRegression and by SGD in torch.

Start-up is the time from the start of a process to the end of a round's imports, with and without
those of scikit-learn, the best of five. A round is one job, so it pays its imports each time.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from lymphokit.pseudo_labels.head_learner import fit_head

SUBSETS, TRAINING, CELLS, FEATURES = 6, 590, 6366, 1280
RIDGE, EPOCHS = 0.01, 50
IMPORTS = (
    "import json, pandas",
    "import lymphokit.job, lymphokit.pseudo_labels.head_learner",
    "import lymphokit.pseudo_labels.state, lymphokit.pseudo_labels.learner",
)
Floats = NDArray[np.float64]
Head = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]], Floats]


def ours(
    rows: NDArray[np.float32], labels: NDArray[np.int64], cells: NDArray[np.float32]
) -> Floats:
    return fit_head(rows, labels, RIDGE).log_odds(cells)


def scikit_learn(
    rows: NDArray[np.float32], labels: NDArray[np.int64], cells: NDArray[np.float32]
) -> Floats:
    regression = LogisticRegression(C=1 / (RIDGE * len(rows)), tol=1e-8, max_iter=10_000)
    model = make_pipeline(StandardScaler(), regression).fit(rows.astype(np.float64), labels)
    return np.asarray(model.decision_function(cells.astype(np.float64)))


def sgd(rows: NDArray[np.float32], labels: NDArray[np.int64], cells: NDArray[np.float32]) -> Floats:
    scaler = StandardScaler().fit(rows)
    inputs = torch.tensor(scaler.transform(rows), dtype=torch.float32)
    target = torch.tensor(labels)
    torch.manual_seed(0)
    layer = torch.nn.Linear(rows.shape[1], 2)
    groups = [{"params": layer.weight, "weight_decay": 2 * RIDGE}, {"params": layer.bias}]
    optimizer = torch.optim.SGD(groups, lr=1e-2, momentum=0.9)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(inputs)).split(16):
            optimizer.zero_grad()
            output = torch.log_softmax(layer(inputs[batch]), dim=1)
            torch.nn.functional.nll_loss(output, target[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.inference_mode():
        outputs = layer(torch.tensor(scaler.transform(cells), dtype=torch.float32))
    return np.asarray(outputs.diff(dim=1).squeeze(1).double().numpy())


def simulated() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features of correlated columns, as of a backbone, and labels that they partly determine."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, CELLS)
    mixing = rng.normal(size=(60, FEATURES)) / 8
    hidden = rng.normal(size=(CELLS, 60)) + 0.5 * labels[:, None]
    features = hidden @ mixing + 0.5 * rng.normal(size=(CELLS, FEATURES))
    return features.astype(np.float32), labels


def timed(
    head: Head, features: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[float, Floats]:
    """Seconds for all training subsets, and the log odds of every cell by the first head."""
    rng = np.random.default_rng(1)
    chosen = [rng.choice(CELLS, TRAINING, replace=False) for _ in range(SUBSETS)]
    start = time.process_time()
    predicted = [head(features[rows], labels[rows], features) for rows in chosen]
    return time.process_time() - start, predicted[0]


def start_up(*imports: str) -> float:
    """Seconds from the start of a process to the end of these imports, the best of five."""
    times = []
    for _ in range(5):
        before = children_seconds()
        subprocess.run([sys.executable, "-c", "; ".join(imports)], check=True)
        times.append(children_seconds() - before)
    return min(times)


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    features, labels = simulated()
    table = Table(title=f"{SUBSETS} heads on {TRAINING} cells, predictions for {CELLS:,}")
    for column in ("", "seconds", "times ours", "largest difference in log odds"):
        table.add_column(column, justify="right")
    rivals = (("scikit-learn", scikit_learn), (f"SGD, {EPOCHS} epochs", sgd))
    lines = []
    with threadpool_limits(1):
        torch.set_num_threads(1)
        runs = sorted((timed(ours, features, labels) for _ in range(5)), key=lambda run: run[0])
        seconds, exact = runs[2]  # the median
        table.add_row("ours", f"{seconds:.2f}", "1.0", "")
        for name, head in rivals:
            theirs, predicted = timed(head, features, labels)
            difference = np.abs(predicted - exact).max()
            table.add_row(name, f"{theirs:.2f}", f"{theirs / seconds:.1f}", f"{difference:.1e}")
            lines.append(
                f"RATIO heads of a round: ours against {name}: {theirs / seconds:.1f}x, results "
                f"{difference:.0e} apart in log odds"
            )
    without, with_theirs = start_up(*IMPORTS), start_up(*IMPORTS, "import sklearn.linear_model")
    console = Console()
    console.print(table)
    console.print(
        f"start-up of a round: {without:.2f} s, {without / (without + seconds):.0%} of the round; "
        f"with scikit-learn {with_theirs:.2f} s, {with_theirs / without:.1f} times as long"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
