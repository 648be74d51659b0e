"""Compare every model with the reference on the same patients: table, figure and text."""

from lymphokit.cohort.tables import read_table, write_table
from lymphokit.evaluation.paired_comparison import comparison_sentence, comparison_table
from lymphokit.figures.comparison import comparison_forest
from lymphokit.job import job
from lymphokit.progress import say

with job(snakemake):
    params = snakemake.params
    decisions = read_table(snakemake.input.decisions)
    models = decisions["model"].unique().tolist()
    uncertainty = params.uncertainty
    table = comparison_table(decisions, models, params.reference, seed=params.seed, **uncertainty)
    write_table(table, snakemake.output.table)
    drawn = {"submitted": params.submitted, "faded": params.faded}
    figure = comparison_forest(table, **drawn, **uncertainty)
    figure.savefig(snakemake.output.figure, dpi=150)
    for _, row in table[table["model"] == params.submitted].iterrows():
        say(f"do the images add anything to age and count? {comparison_sentence(row)}")
