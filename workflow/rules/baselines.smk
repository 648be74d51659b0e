# What every other model has to beat: the clinical attributes alone, and plain pooling.


use rule mi_svm as clinical with:
    input:
        patients="results/{cohort}/cohort/patients.csv",
        folds="results/{cohort}/folds.csv",
    wildcard_constraints:
        model=models_of("clinical_logistic", "clinical_xgboost"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.mil.clinical"),


use rule mi_svm as pooled with:
    wildcard_constraints:
        model=models_of("pooled_logistic"),
    params:
        settings=model_settings,
        seed=config["seed"],
        code=code_of("fit.py", "lymphokit.mil.pooled"),
