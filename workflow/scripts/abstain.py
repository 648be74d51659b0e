"""Whom to send to flow cytometry, what that costs and spares, and the advice for test patients."""

import pandas as pd
from rich.console import Console

from lymphokit.calibration import referral as abstention
from lymphokit.calibration.referral_figure import risk_coverage_figure
from lymphokit.calibration.tables import abstention_sentences, abstention_terminal_table
from lymphokit.job import job

with job(snakemake.log[0], snakemake.threads):
    settings, compared = snakemake.params.settings, snakemake.params.compared
    drawn = {**snakemake.params.uncertainty, "seed": snakemake.params.seed}
    prices, level = settings["costs"], drawn["level"]
    costs = abstention.Costs(**prices)
    calibrated = pd.read_csv(
        snakemake.input.calibrated, dtype={"patient": str}, keep_default_na=False
    )
    calibrated = calibrated[calibrated["model"].isin(compared)]
    decisions = pd.read_csv(
        snakemake.input.decisions, dtype={"patient": str}, keep_default_na=False
    )
    referred = abstention.refer(
        calibrated, band=settings["band"], costs=costs, wanted=settings["wanted"]
    )
    ways = abstention.strategies(referred, decisions, compared, costs)
    table = abstention.abstention_table(ways, costs, **drawn)
    table.to_csv(snakemake.output.table, index=False)
    advice = abstention.referrals(referred, compared[0])
    advice.to_csv(snakemake.output.referrals, index=False)
    curve = abstention.risk_coverage(calibrated, compared, costs, **drawn)
    figure = risk_coverage_figure(curve, table, level=level, **prices)
    figure.savefig(snakemake.output.figure, dpi=150)
    Console(width=130).print(
        abstention_terminal_table(table, level=level, **prices),
        *abstention_sentences(table, advice, missed=prices["missed"]),
        sep="\n",
    )
