"""Measured constants of the forecast: what a job takes, by its kind. The only place that has them.

Measured on 26 November 2026 on two cores of an AMD EPYC with AVX512-BF16, without a GPU, from the
benchmark tables of two finished runs: the simulated cohort (130 patients, 1,536 cells) and the
competition (163 patients, 6,366 cells). The time is a line through both: a start, and so much for
1,000 cells; what grows with the square of the cells is from benchmarks/growth.py. Networks: one
core, images of 224 pixels a side, without gradients; those beside EfficientNet-Lite0 and VGG19 were
timed relative to these two, outside a run.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Seconds of the start and seconds for 1,000 cells, both on one core, and memory in GB.

    per_square: seconds for (1,000 cells)^2, of a job that compares all pairs of cells.
    """

    start: float
    per_thousand: float = 0.0
    memory: float = 0.2
    per_square: float = 0.0


# By rule, and by the kind of a model for a fit.
COSTS = {
    "simulate": Cost(1.4, 5.1),
    "unpack": Cost(0.5, 0.2),
    "check": Cost(0.4, 0.7),
    "folds": Cost(1.3, 0.1),
    "clinical_figures": Cost(1.0, 0.1),
    "pixels": Cost(1.1, 16.0, 0.5),
    "cell_masks": Cost(2.6, 1.1),
    "cells_figure": Cost(1.2, 0.1),
    "morphology": Cost(2.4, 1.6),
    "encode": Cost(1.0, 1.0, 0.6),
    "blood_cells": Cost(1.8),
    "labelled_cells": Cost(1.2),
    "labelled_cells_figure": Cost(1.0),
    "labelled_morphology": Cost(10.0),
    "moments": Cost(2.4, 0.7),
    "stain": Cost(0.4),
    "stain_figure": Cost(1.1),
    "round": Cost(0.7, 0.06),
    "lineage": Cost(1.3),
    "last_phase": Cost(0.9, 0.1),
    "bank": Cost(0.7),
    "rounds": Cost(3.9, 0.1),
    "gallery": Cost(1.9, 0.1),
    "instance_head": Cost(1.4),
    "artefacts": Cost(0.6, 0.3, 0.4),
    "confounders": Cost(3.1),
    "duplicates": Cost(0.4, 0.2, 0.4, 0.004),
    "stain_test": Cost(13.0),
    "out_of_fold": Cost(3.3),
    "comparison": Cost(1.8, 0.1),
    "calibration": Cost(10.6),
    "referral": Cost(2.2, 0.1),
    "blend": Cost(0.8),
    "leaks": Cost(1.5, 0.3),
    "submit": Cost(1.2, 0.1),
    "audit": Cost(0.6),
    "report": Cost(4.0, 1.5, 0.4),
    "cell_types_figure": Cost(2.8, 0.1, 0.3),
    "bag_average": Cost(1.7),
    "bag_average_xgboost": Cost(3.1, 0.5),
    "bag_kernel": Cost(1.5, 0.1, 0.3, 0.0045),
    "cell_counts_lightgbm": Cost(1.7),
    "cell_counts_xgboost": Cost(2.6),
    "cell_types": Cost(1.6, 0.2, 0.3),
    "clinical_logistic": Cost(1.3, 0.1),
    "clinical_xgboost": Cost(1.8, 0.1),
    "d_mil": Cost(4.4, 1.4, 1.0),
    "end_to_end": Cost(2.4, 5.7, 0.8),
    "mi_svm": Cost(1.4, 0.6, 0.5),
    "mi_svm_xgboost": Cost(1.3, 2.1, 0.6),
    "one_class_svm": Cost(4.8, 1.1, 0.3),
    "pooled_logistic": Cost(2.5),
}
OTHER = Cost(2.0, 0.5, 0.3)  # a kind that was not measured, such as a model of a file outside

NETWORKS = {
    "alexnet": Cost(0, 12, 0.8),
    "convnext_small": Cost(0, 117, 1.2),
    "convnext_tiny": Cost(0, 66, 1.0),
    "inception_v3": Cost(0, 45, 0.9),
    "legacy_seresnet18": Cost(0, 24, 0.7),
    "resnet18": Cost(0, 23, 0.7),
    "resnet50": Cost(0, 55, 0.9),
    "test_efficientnet": Cost(0, 4, 0.5),
    "test_resnet": Cost(0, 6, 0.5),
    "tf_efficientnet_lite0": Cost(0, 11.5, 0.8),
    "tf_efficientnetv2_s": Cost(0, 50, 1.0),
    "vgg19": Cost(0, 250, 1.8),
    "vit_small_patch14_reg4_dinov2": Cost(0, 78, 1.0),
}
OTHER_NETWORK = NETWORKS["resnet50"]

EPOCH_SECONDS = 7.0  # of the autoencoder, for 1,000 images
EPOCH_MEMORY_GB = 1.0
EPOCHS_MEASURED = {"d_mil": 60, "end_to_end": 3}  # of the fits above, at which they were measured
GRADIENTS = 3.0  # of an image in training, in forward passes
BETWEEN_JOBS = 0.1  # seconds on one core, for Snakemake to end a job and start the next
RUN_MEMORY_GB = 0.4  # of Snakemake itself
MB_PER_CELL = 0.2  # of results, features of the default models with them
RUN_GB = 0.3  # of results that do not depend on the number of cells
