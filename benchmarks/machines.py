"""How far results differ between processors: the main job, run as other processors compute.

    python benchmarks/machines.py [--cores 2] [snakemake options, such as --configfile mine.yaml]

Runs the main job of this commit in a clone for each setting of the processor's units, and compares
the decisions of all models with those without a setting: the largest difference of a probability,
the share of patients with another label, and the difference of balanced accuracy. The blend of the
submission is printed last.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.metrics import balanced_accuracy_score

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "AVX512_CORE": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
}
KEYS = ["model", "fold", "patient"]


def main() -> None:
    """Run once without a setting and once with each; print the differences by model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", default="2")
    arguments, options = parser.parse_known_args()
    command = ["submission", "--cores", arguments.cores, *options]
    plain = decisions(command, {})
    for name, variables in SETTINGS.items():
        print(f"{name} against this processor without a setting")
        print(compare(plain, decisions(command, variables)).to_string(float_format="%.4f"))


def decisions(command: list[str], variables: dict[str, str]) -> pd.DataFrame:
    """The decisions of a run in a clone of this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)
        source = {"PYTHONPATH": str(Path(folder) / "src")}
        subprocess.run(
            [sys.executable, "-m", "snakemake", *command, "--quiet", "all"],
            cwd=folder,
            env=os.environ | source | variables,
            check=True,
        )
        (table,) = Path(folder).glob("results/*/decisions.csv")
        return pd.read_csv(table)


def compare(plain: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Differences by model: of probabilities, of labels, and of the balanced accuracy."""
    both = plain.merge(other, on=KEYS, suffixes=("", "_other"), validate="one_to_one")
    both["difference"] = (both["probability"] - both["probability_other"]).abs()
    both["changed"] = both["decision"] != both["decision_other"]
    rows = both.groupby("model", sort=False).agg(
        largest=("difference", "max"), median=("difference", "median"), labels=("changed", "mean")
    )
    scored = both[both["part"] == "validation"].groupby("model", sort=False)
    rows["balanced_accuracy"] = [
        balanced_accuracy_score(rows_of["label"], rows_of["decision_other"])
        - balanced_accuracy_score(rows_of["label"], rows_of["decision"])
        for _, rows_of in scored
    ]
    return rows


if __name__ == "__main__":
    main()
