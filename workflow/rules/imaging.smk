# Pixels: every image is segmented once and stored at 128 pixels a side, beside its mask. No label
# is used, so the images of all patients share these files.


rule pixels:
    input:
        raw=PLAN.raw,
        cells="results/{cohort}/cohort/cells.csv",
    output:
        raw="results/{cohort}/imaging/raw_128.npy",
        segmented="results/{cohort}/imaging/segmented_128.npy",
        masks="results/{cohort}/imaging/masks.npy",
        figure="results/{cohort}/figures/segmentation.png",
    log:
        "logs/{cohort}/pixels.log",
    benchmark:
        "logs/{cohort}/pixels.tsv"
    priority: 30  # most of the run waits for it
    conda:
        "../../environment.yml"
    threads: 2
    params:
        threads=2,
        image_size=config["cohort"]["image_size"],
        segmentation=config["segmentation"],
        contents=RAW_CONTENTS,
        code=code_of("pixels.py"),
    message:
        "Segment all cells of {wildcards.cohort}"
    script:
        "../scripts/pixels.py"


rule cell_masks:
    input:
        raw=PLAN.raw,
        cells="results/{cohort}/cohort/cells.csv",
    output:
        masks="results/{cohort}/imaging/cell_masks.npy",
        colours="results/{cohort}/imaging/smear_colours.csv",
    log:
        "logs/{cohort}/cell_masks.log",
    benchmark:
        "logs/{cohort}/cell_masks.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    params:
        threads=2,
        image_size=config["cohort"]["image_size"],
        settings=config["cell_mask"],
        contents=RAW_CONTENTS,
        code=code_of("cell_masks.py"),
    message:
        "Mask the whole cells of {wildcards.cohort}"
    script:
        "../scripts/cell_masks.py"


rule cells_figure:
    input:
        raw=PLAN.raw,
        patients="results/{cohort}/cohort/patients.csv",
        cells="results/{cohort}/cohort/cells.csv",
    output:
        figure="results/{cohort}/figures/cells.png",
    log:
        "logs/{cohort}/cells_figure.log",
    benchmark:
        "logs/{cohort}/cells_figure.tsv"
    conda:
        "../../environment.yml"
    params:
        image_size=config["cohort"]["image_size"],
        seed=config["seed"],
        contents=RAW_CONTENTS,
        code=code_of("cells_figure.py"),
    message:
        "Figure: cells of a few patients"
    script:
        "../scripts/cells_figure.py"
