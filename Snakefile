# From raw data to a dated submission: the table of contents. The choices are in config.yaml.

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/imaging.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/blood_cells.smk"
include: "workflow/rules/mi_svm.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/d_mil.smk"
include: "workflow/rules/pseudo_label.smk"
include: "workflow/rules/instance_network.smk"
include: "workflow/rules/ensemble.smk"
include: "workflow/rules/submission.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/confounders.smk"
include: "workflow/rules/ablation.smk"
include: "workflow/rules/mil_checks.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/permutation.smk"


rule submission:
    default_target: True
    input:
        expand("results/{cohort}/submission.json", cohort=COHORT),
        expand("results/{cohort}/audit.json", cohort=COHORT),
        expand(
            "results/{cohort}/figures/{figure}.png",
            cohort=COHORT,
            figure=[
                *[
                    "cells",
                    "segmentation",
                    "scores",
                    "roc",
                    "comparison",
                    "confounders",
                ],
                *blood_cell_figures(),
                *pseudo_label_figures(),
            ],
        ),
        expand(
            "results/{cohort}/figures/reconstruction_{variant}.png",
            cohort=COHORT,
            variant=variants_in_use(),
        ),
        expand(
            "results/{cohort}/figures/margins_{model}.png",
            cohort=COHORT,
            model=names_of("one_class_svm"),
        ),
        rules.calibration.input,
