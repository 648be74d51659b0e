# Do the models learn what is there, or what is missing? On synthetic bags, so for any cohort:
#   snakemake mil_checks


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
        models={name: config["models"][name] for name in MODELS if reads_features(name)},
        seed=config["seed"],
        code=code_of(
            "mil_checks.py",
            *(kind_of(kind).model.__module__ for kind in kinds_that_read_features()),
        ),
    script:
        "../scripts/mil_checks.py"
