# How much scores depend on what should not matter. No submission depends on these studies; the
# verdict of the stain test is shown with one.
#   snakemake cell_draws | stain_test


# Models on cells, refitted on cells drawn at random: so many of each patient, many times.
rule cell_draws:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        folds=f"results/{COHORT}/folds.csv",
        banks=PLAN.banks_read_by(config["cell_draws"]["models"], "npy"),
        about=PLAN.banks_read_by(config["cell_draws"]["models"], "json"),
    output:
        scores=f"results/{COHORT}/cell_draws.csv",
        summary=f"results/{COHORT}/cell_draws/summary.csv",
        figure=f"results/{COHORT}/figures/cell_draws.png",
    log:
        f"logs/{COHORT}/cell_draws.log",
    benchmark:
        f"logs/{COHORT}/cell_draws.tsv"
    conda:
        "../../environment.yml"
    params:
        settings=config["cell_draws"],
        models=PLAN.blocks(config["cell_draws"]["models"]),
        clinical=PLAN.clinical_block,
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("cell_draws.py", *PLAN.files_of(config["cell_draws"]["models"])),
    message:
        "Score models on cells drawn at random"
    script:
        "../scripts/cell_draws.py"


# The image models of the product without the colours of glass and red cells, in every fold.
rule stain_test:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        folds=f"results/{COHORT}/folds.csv",
        colours=f"results/{COHORT}/imaging/smear_colours.csv",
        artefacts=f"results/{COHORT}/confounders/artefacts.csv",
        banks=PLAN.banks_read_by(PLAN.described, "npy"),
        about=PLAN.banks_read_by(PLAN.described, "json"),
        colourless=predictions_of(PLAN.colourless),
    output:
        table=f"results/{COHORT}/stain_test.csv",
        figure=f"results/{COHORT}/figures/stain_test.png",
    log:
        f"logs/{COHORT}/stain_test.log",
    benchmark:
        f"logs/{COHORT}/stain_test.tsv"
    conda:
        "../../environment.yml"
    params:
        models=PLAN.blocks(PLAN.described),
        colourless=PLAN.colourless,
        clinical=PLAN.blocks(PLAN.product["clinical"]),
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of(
            "stain_test.py",
            *PLAN.files_of([*PLAN.described, *PLAN.product["clinical"]]),
        ),
    message:
        "Test whether the image scores rest on staining"
    script:
        "../scripts/stain_test.py"


# Every model that reads images alone, and what it adds to age and count.
rule image_models:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        folds=f"results/{COHORT}/folds.csv",
        models=predictions_of([*PLAN.image_models, *PLAN.product["clinical"]]),
    output:
        table=f"results/{COHORT}/image_models.csv",
    log:
        f"logs/{COHORT}/image_models.log",
    benchmark:
        f"logs/{COHORT}/image_models.tsv"
    conda:
        "../../environment.yml"
    params:
        models=[*PLAN.image_models, *PLAN.product["clinical"]],
        clinical=config["ensemble"]["product"]["clinical"],
        threshold=config["decision"]["threshold"],
        uncertainty=config["uncertainty"],
        seed=config["seed"],
        code=code_of("image_models.py"),
    message:
        "Score models of images alone and with age and count"
    script:
        "../scripts/image_models.py"
