# Do the models learn what is there, or what is missing? On synthetic bags, so for any cohort:
#   snakemake mil_checks

from lymphokit.mil.registry import KINDS


rule mil_checks:
    output:
        checks="results/mil_checks.csv",
    log:
        "logs/mil_checks.log",
    benchmark:
        "logs/mil_checks.tsv"
    conda:
        "../../environment.yml"
    params:
        models={
            name: config["models"][name]
            for name in MODELS
            if KINDS[config["models"][name]["kind"]].uses_images
        },
        seed=config["seed"],
        code=code_of(
            "mil_checks.py",
            *(kind.path.split(":")[0] for kind in KINDS.values() if kind.uses_images),
        ),
    script:
        "../scripts/mil_checks.py"
