"""Whom to send to flow cytometry, what that costs and spares, and the advice for test patients."""

import pandas as pd
from rich.console import Console

from lymphokit.calibration import referral
from lymphokit.calibration.referral_figure import risk_coverage_figure
from lymphokit.calibration.terminal_tables import referral_sentences, referral_terminal_table
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    settings, compared = snakemake.params.settings, snakemake.params.compared
    drawn = {**snakemake.params.uncertainty, "seed": snakemake.params.seed}
    prices, level = settings["costs"], drawn["level"]
    costs = referral.Costs(**prices)
    calibrated = pd.read_csv(
        snakemake.input.calibrated, dtype={"patient": str}, keep_default_na=False
    )
    calibrated = calibrated[calibrated["model"].isin(compared)]
    decisions = pd.read_csv(
        snakemake.input.decisions, dtype={"patient": str}, keep_default_na=False
    )
    referred = referral.apply_band(
        calibrated, band=settings["band"], costs=costs, wanted=settings["wanted"]
    )
    ways = referral.strategies(referred, decisions, compared, costs)
    table = referral.referral_table(ways, costs, **drawn)
    table.to_csv(snakemake.output.table, index=False)
    advice = referral.advise_test_patients(referred, compared[0])
    advice.to_csv(snakemake.output.referrals, index=False)
    curve = referral.risk_coverage(calibrated, compared, costs, **drawn)
    figure = risk_coverage_figure(curve, table, level=level, **prices)
    figure.savefig(snakemake.output.figure, dpi=150)
    Console(width=130).print(
        referral_terminal_table(table, level=level, **prices),
        *referral_sentences(table, advice, missed=prices["missed"]),
        sep="\n",
    )
