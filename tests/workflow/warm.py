"""A process that has imported Snakemake and the libraries, and forks for every run and job.

It is the kit's job server with another list of imports: on the tiny cohort, the imports take longer
than all the rest. Only the package, which a test may have edited, a fork imports from its checkout.
"""

import os
import sys

from lymphokit import job_server

PACKAGE = "lymphokit"
LIBRARIES = [
    *("snakemake.cli", "snakemake.script", "torchvision", "timm"),
    *(name for name in job_server.LIBRARIES if not name.startswith(PACKAGE)),
]


def forget_package() -> None:
    """Let a fork import the package anew, from where its variables say."""
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    sys.path[1:1] = os.environ["PYTHONPATH"].split(os.pathsep)


if __name__ == "__main__":
    job_server.main(LIBRARIES, forget_package)
