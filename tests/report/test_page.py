"""What stands on the page, read without a browser."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lymphokit.cohort.tables import write_table
from lymphokit.provenance import file_sha256
from lymphokit.report.contents import CHAPTERS, optional_files
from lymphokit.report.entries import caption
from lymphokit.report.page import write_report
from lymphokit.report.run_files import Run
from tests.report.conftest import FIGURES, ROOT


def test_every_caption_is_there_once_and_can_be_filled_in(finished_run: Run) -> None:
    named = [entry.caption for chapter in CHAPTERS for entry in chapter.entries]
    files = {path.stem for path in (ROOT / "workflow/report").glob("*.rst")}
    assert len(named) == len(set(named))
    assert set(named) == files
    assert all(caption(finished_run, name) for name in named)


def test_the_same_run_gives_the_same_page(finished_run: Run, page: Path, tmp_path: Path) -> None:
    write_report(finished_run, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_figures_are_in_the_page(page: Path) -> None:
    text = page.read_text()
    assert len(re.findall(r'<img src="data:image/webp;base64,', text)) == len(FIGURES)
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)


def test_a_study_is_shown_once_it_is_on_disk(finished_run: Run, tmp_path: Path) -> None:
    without = tmp_path / "without.html"
    write_report(finished_run, without)
    assert "snakemake image_models" in without.read_text()
    table = finished_run.results / "image_models.csv"
    write_table(pd.DataFrame([{"model": "a study's model", "auc": 0.75}]), table)
    assert table in optional_files(finished_run.results)
    shown, stale = tmp_path / "shown.html", tmp_path / "stale.html"
    write_report(replace(finished_run, studies={str(table): file_sha256(table)}), shown)
    write_report(replace(finished_run, studies={str(table): "of another content"}), stale)
    table.unlink()
    assert "a study&#39;s model" in shown.read_text()
    assert "snakemake image_models" not in shown.read_text()
    assert stale.read_bytes() == without.read_bytes()


@pytest.mark.parametrize("name", ["age", "curve_loss", "margins_one_class", "added_fold3"])
def test_a_figure_belongs_to_one_entry(name: str) -> None:
    entries = [entry for chapter in CHAPTERS for entry in chapter.entries]
    assert sum(entry.has_figure(name) for entry in entries) == 1
