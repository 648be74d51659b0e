"""Selective prediction: patients to refer to flow cytometry, costs, test patients' referrals."""

from rich.console import Console

from lymphokit.calibration import referral
from lymphokit.calibration.referral_figure import (
    referral_sentences,
    referral_terminal_table,
    risk_coverage_figure,
)
from lymphokit.cohort.tables import read_table, write_table
from lymphokit.job import job

with job(snakemake):
    settings, compared = snakemake.params.settings, snakemake.params.compared
    drawn = {**snakemake.params.uncertainty, "seed": snakemake.params.seed}
    costs, level = referral.Costs(**settings["costs"]), drawn["level"]
    calibrated = read_table(snakemake.input.calibrated)
    calibrated = calibrated[calibrated["model"].isin(compared)]
    decisions = read_table(snakemake.input.decisions)
    referred = referral.apply_band(
        calibrated, band=settings["band"], costs=costs, wanted=settings["wanted"]
    )
    ways = referral.strategies(referred, decisions, compared, costs)
    table = referral.referral_table(ways, costs, **drawn)
    write_table(table, snakemake.output.table)
    advice = referral.advise_test_patients(referred, compared[0])
    write_table(advice, snakemake.output.referrals)
    curve = referral.risk_coverage(calibrated, compared, costs, **drawn)
    figure = risk_coverage_figure(curve, table, costs, level=level)
    figure.savefig(snakemake.output.figure, dpi=150)
    Console(width=130).print(
        referral_terminal_table(table, costs, level=level),
        *referral_sentences(table, advice, costs),
        sep="\n",
    )
