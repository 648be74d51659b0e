# The CSV. Its name holds the time, which stays out of the graph: the target is a fixed receipt.


# Settings that no submission depends on: another choice of these writes no new CSV.
NO_PART = ["raw", "comparison", "calibration", "abstention", "confounders", "audit"]
NO_PART += ["ablation", "permutation", "spread"]


rule submit:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        header="results/{cohort}/cohort/submission_header.json",
        folds="results/{cohort}/folds.csv",
        decisions="results/{cohort}/decisions.csv",
        scores="results/{cohort}/scores.csv",
        # No CSV where there is a leak; to look for leaks again writes no new one.
        leaks=ancient("results/{cohort}/leaks.json"),
    output:
        receipt="results/{cohort}/submission.json",
    log:
        "logs/{cohort}/submit.log",
    benchmark:
        "logs/{cohort}/submit.tsv"
    conda:
        "../../environment.yml"
    params:
        blend=config["submission"]["blend"],
        level=config["uncertainty"]["level"],
        config={key: value for key, value in config.items() if key not in NO_PART},
        code=code_of("submit.py"),
    script:
        "../scripts/submit.py"
