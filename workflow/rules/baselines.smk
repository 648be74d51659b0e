# What every other model has to beat: the clinical attributes alone, plain pooling, and how unlike
# the cells of reactive patients a patient's cells are (report, appendix).


use rule mi_svm as clinical with:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
    wildcard_constraints:
        model=models_of("clinical_logistic", "clinical_xgboost"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.clinical"),


use rule mi_svm as pooled with:
    wildcard_constraints:
        model=models_of("pooled_logistic"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.pooled_logistic"),


use rule mi_svm as one_class with:
    wildcard_constraints:
        model=models_of("one_class_svm"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.models.one_class"),


rule margins:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
        bank=bank_of,
        model="results/{cohort}/fold1/{model}/model.joblib",
    output:
        figure=report(
            "results/{cohort}/figures/margins_{model}.png",
            caption="../report/margins.rst",
            category="One-class SVM",
        ),
    log:
        "logs/{cohort}/margins_{model}.log",
    benchmark:
        "logs/{cohort}/margins_{model}.tsv"
    wildcard_constraints:
        model=models_of("one_class_svm"),
    conda:
        "../../environment.yml"
    params:
        code=code_of("margins.py", "lymphokit.models.one_class"),
    script:
        "../scripts/margins.py"
