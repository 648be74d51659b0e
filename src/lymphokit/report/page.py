"""Write the report: one HTML page with all figures, tables and patient cards, and no request."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lymphokit.cohort.tables import read_patients, read_table
from lymphokit.errors import LymphokitError
from lymphokit.figures.style import LABELS
from lymphokit.files import read_json, write_atomically
from lymphokit.report import cards, faithfulness
from lymphokit.report.card_script import card_script, described
from lymphokit.report.contents import CHAPTERS
from lymphokit.report.entries import shown_entries
from lymphokit.report.faithfulness_chart import faithfulness_chart
from lymphokit.report.headline import facts
from lymphokit.report.run_files import Run
from lymphokit.report.shown_tables import ShownTable, shown_table
from lymphokit.submission.ledger import read_ledger

_LEDGER_ROWS = 20
_NOT_IN_LEDGER = (
    *("cohort", "sha256", "folds_digest", "config_digest", "machine"),
    *("oof_tumoral_share", "oof_effective_sample_size"),
)
# Columns of the table of faithfulness, and whether with their interval.
_FAITHFULNESS = {
    "share": ("fewest cells, share of all", False),
    "random_share": ("in random order", False),
    "shorter": ("difference", True),
    "fall": ("fall of probability without them", False),
    "random_fall": ("without as many random cells", False),
    "deeper": ("difference of falls", True),
    "lost": ("calls lost", False),
    "random_lost": ("lost without random cells", False),
}


def write_report(run: Run, page: Path) -> None:
    """Write the page of a run.

    Raises TableError for a table that is none, ImageError for an image that cannot be read.
    """
    patients = read_patients(run.results / "cohort/patients.csv")
    decisions = run.table("decisions.csv")
    receipt = read_json(run.results / "submission.json", "file", "blend")
    audit = read_json(run.results / "audit.json", "checks")
    submitted, stain = str(receipt["blend"]), run.results / "stain_test.csv"
    columns = list(dict.fromkeys([submitted, *decisions["model"].unique().tolist()]))
    evidence = cards.collect_evidence(run.evidence_tables(), decisions, run.neutral)
    content = cards.card_data(patients, decisions, columns, run.models, evidence)
    summaries = _summaries(evidence, run.settings)
    shown = {
        "cohort": run.cohort,
        "receipt": receipt,
        "patients": patients,
        "labels": LABELS,
        "facts": facts(
            receipt,
            run.table("scores.csv"),
            run.table("comparisons.csv"),
            audit,
            read_table(stain) if stain in run.available else None,
        ),
        "chapters": [(chapter, shown_entries(chapter, run, submitted)) for chapter in CHAPTERS],
        "cards": content,
        "data": card_script(content, columns, described(evidence, summaries), run, patients),
        "chart": faithfulness_chart(summaries) if summaries else None,
        "faithfulness": _faithfulness_table(summaries) if summaries else None,
        "audit": audit["checks"],
        "ledger": _ledger(run),
    }
    html = _environment().get_template("report.html.j2").render(shown)
    write_atomically(page, html.encode())


def _environment() -> Environment:
    loader = PackageLoader("lymphokit.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Style and script go into the page as they are: files of this package, without data.
    environment.globals["source"] = lambda name: Markup(loader.get_source(environment, name)[0])
    return environment


def _summaries(
    evidence: Sequence[cards.Evidence], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    level, seed = float(settings["uncertainty"]["level"]), int(settings["seed"])
    return [
        {
            "name": f"{each.model}, {each.ranking}",
            **faithfulness.summary(each.faithful, level=level, seed=seed),
        }
        for each in evidence
    ]


def _faithfulness_table(summaries: Sequence[Mapping[str, Any]]) -> ShownTable:
    table = pd.DataFrame(summaries).round(3)
    columns = {"model, order": table["name"], "verdict": table["verdict"]}
    for name, (text, has_interval) in _FAITHFULNESS.items():
        columns[text] = table[name]
        if has_interval:
            columns |= {f"{text}{end}": table[f"{name}{end}"] for end in ("_low", "_high")}
    return shown_table(pd.DataFrame(columns))


def _ledger(run: Run) -> ShownTable | None:
    """The last submissions of this cohort, as the ledger records them now."""
    try:
        ledger = read_ledger(run.ledger)
    except LymphokitError:
        return None
    rows = ledger.loc[ledger["cohort"] == run.cohort].tail(_LEDGER_ROWS)
    return shown_table(rows.iloc[::-1], left_out=_NOT_IN_LEDGER) if len(rows) else None
