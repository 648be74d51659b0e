# The report: one page of everything that the main job makes, and of the studies that are on disk.

from lymphokit.report.contents import optional_files

# What captions name, and what intervals and cells are made with.
SETTINGS_OF_REPORT = ["ablation", "cell_draws", "comparison", "permutation", "spread"]
SETTINGS_OF_REPORT += ["cohort", "uncertainty", "seed"]
CAPTIONS = ROOT / "workflow" / "report"


rule report:
    input:
        raw=PLAN.raw,
        receipt=f"results/{COHORT}/submission.json",
        audit=f"results/{COHORT}/audit.json",
        patients=f"results/{COHORT}/cohort/patients.csv",
        cells=f"results/{COHORT}/cohort/cells.csv",
        tables=expand(f"results/{COHORT}/{{table}}.csv", table=PLAN.reported_tables),
        confounders=rules.confounders.output,
        calibration=rules.calibration.output,
        referral=rules.referral.output,
        figures=expand(f"results/{COHORT}/figures/{{figure}}", figure=PLAN.figure_files),
        evidence=expand(
            f"results/{COHORT}/fold{{fold}}/{{model}}/{{table}}.csv",
            fold=PLAN.first_repeat,
            model=PLAN.neutral_scores,
            table=["cell_scores", "subsets"],
        ),
        captions=sorted(os.path.relpath(file) for file in CAPTIONS.glob("*.rst")),
    output:
        page=f"results/{COHORT}/report.html",
    log:
        f"logs/{COHORT}/report.log",
    benchmark:
        f"logs/{COHORT}/report.tsv"
    conda:
        "../../environment.yml"
    params:
        # No inputs: the report shows studies that are there, and makes none.
        studies=lambda _: {
            str(file): DIGESTS.sha256(file)
            for file in optional_files(Path(f"results/{COHORT}"))
        },
        models=PLAN.models,
        neutral=PLAN.neutral_scores,
        settings={key: config[key] for key in SETTINGS_OF_REPORT},
        contents=RAW_CONTENTS,
        code=code_of("report.py"),
    message:
        "Write the report"
    script:
        "../scripts/report.py"
