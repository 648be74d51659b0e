# How much scores depend on what should not matter. No submission depends on these studies.
#   snakemake cell_draws


# Models on cells, refitted on cells drawn at random: so many of each patient, many times.
rule cell_draws:
    input:
        patients=f"results/{COHORT}/cohort/patients.csv",
        folds=f"results/{COHORT}/folds.csv",
        banks=PLAN.banks_read_by(config["cell_draws"]["models"], "npy"),
        about=PLAN.banks_read_by(config["cell_draws"]["models"], "json"),
    output:
        scores=f"results/{COHORT}/cell_draws.csv",
        summary=report(
            f"results/{COHORT}/cell_draws/summary.csv",
            caption="../report/cell_draws.rst",
            category="Can it be believed?",
        ),
        figure=report(
            f"results/{COHORT}/figures/cell_draws.png",
            caption="../report/cell_draws.rst",
            category="Can it be believed?",
        ),
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
