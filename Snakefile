# From raw data to a dated submission: the table of contents. The choices are in config.yaml; what
# follows from them for the data at hand is decided by lymphokit.plan.

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/imaging.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/pseudo_label.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/ensemble.smk"
include: "workflow/rules/calibration.smk"
include: "workflow/rules/submission.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/report.smk"


rule submission:
    default_target: True
    input:
        f"results/{COHORT}/submission.json",
        f"results/{COHORT}/audit.json",
        expand(f"results/{COHORT}/figures/{{figure}}", figure=PLAN.figure_files),
        f"results/{COHORT}/report.html",
        rules.calibration.output,
        rules.referral.output,
    message:
        "The submission and all that belongs to it"


onstart:
    n_jobs = len(list(workflow.dag.needrun_jobs()))
    if EXECUTOR == "local" and job_server.is_worth(n_jobs):
        shell.prefix(job_server.start())


onsuccess:
    # Imported here: jobs parse this file, too. The logger prints it after its bar has gone.
    from lymphokit.desk.last_screen import last_screen

    files = [
        file for job in workflow.dag.targetjobs for file in job.output or job.input
    ]
    lines = last_screen(Path(f"results/{COHORT}"), Path("submissions"), files)
    logger.info("\n".join(["", *lines]))
