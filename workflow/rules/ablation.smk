# What D-MIL owes to each of its parts, and how it learns (report 5.2.3, table 1, figures 9 and
# 10): `snakemake ablation`. No submission depends on it.


rule ablation:
    input:
        expand("results/{cohort}/ablation/table.csv", cohort=COHORT),
        expand(
            "results/{cohort}/figures/curve_{metric}.png",
            cohort=COHORT,
            metric=["balanced_accuracy", "loss"],
        ),


use rule folds as split with:
    output:
        folds="results/{cohort}/ablation/split.csv",
    log:
        "logs/{cohort}/split.log",
    benchmark:
        "logs/{cohort}/split.tsv"
    params:
        settings={**config["folds"], "scheme": "split", "repeats": 1},
        seed=config["seed"],
        code=code_of("folds.py"),


rule variants:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        split="results/{cohort}/ablation/split.csv",
        folds="results/{cohort}/folds.csv",
        bank=expand(
            "results/{{cohort}}/features/{features}.{ending}",
            features=ablated_model()["features"],
            ending=["npy", "json"],
        ),
        segmented=expand(
            "results/{{cohort}}/features/{features}.{ending}",
            features=config["ablation"]["segmented_features"],
            ending=["npy", "json"],
        ),
    output:
        executions="results/{cohort}/ablation/executions.csv",
        table=report(
            "results/{cohort}/ablation/table.csv",
            caption="../report/ablation.rst",
            category="Ablation",
        ),
    log:
        "logs/{cohort}/variants.log",
    benchmark:
        "logs/{cohort}/variants.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    params:
        settings=config["ablation"],
        model=ablated_model(),
        threshold=config["decision"]["threshold"],
        seed=config["seed"],
        code=code_of("ablation.py"),
    script:
        "../scripts/ablation.py"


rule curves:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        split="results/{cohort}/ablation/split.csv",
        bank=expand(
            "results/{{cohort}}/features/{features}.{ending}",
            features=ablated_model()["features"],
            ending=["npy", "json"],
        ),
    output:
        curves="results/{cohort}/ablation/curves.csv",
        balanced_accuracy=report(
            "results/{cohort}/figures/curve_balanced_accuracy.png",
            caption="../report/curves.rst",
            category="Ablation",
        ),
        loss=report(
            "results/{cohort}/figures/curve_loss.png",
            caption="../report/curves.rst",
            category="Ablation",
        ),
    log:
        "logs/{cohort}/curves.log",
    benchmark:
        "logs/{cohort}/curves.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    params:
        settings=config["ablation"],
        model=ablated_model(),
        seed=config["seed"],
        code=code_of("curves.py"),
    script:
        "../scripts/curves.py"
