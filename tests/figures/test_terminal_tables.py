import io

from rich.console import Console

from lymphokit.figures.terminal_tables import score_terminal_table
from tests.figures.test_scores import SCORES


def test_the_table_reads_well_on_a_narrow_terminal():
    console = Console(width=100, file=io.StringIO())
    table = score_terminal_table(SCORES, submitted="stack", folds="5 folds", level=0.95)
    console.print(table)
    lines = console.file.getvalue().splitlines()
    (row,) = [line for line in lines if "stack" in line]
    assert "0.810 [0.73, 0.88]" in row
    assert "0.900 [0.83, 0.95]" in row
    assert any("n = 121 patients" in line for line in lines)
    assert any("95%" in line for line in lines)
    assert [style for row in table.rows for style in [row.style]] == [None, None, "bold"]


def test_a_note_stands_under_the_table_and_none_leaves_no_line():
    console = Console(width=100, file=io.StringIO())
    settings = {"submitted": "stack", "folds": "5 folds", "level": 0.95}
    plain, noted = (
        score_terminal_table(SCORES, **settings, note=note).caption for note in ("", "rests [0, 1]")
    )
    assert noted == f"{plain}\nrests [0, 1]"
    console.print(score_terminal_table(SCORES, **settings, note="rests on stain [0.10, 0.20]"))
    assert "rests on stain [0.10, 0.20]" in console.file.getvalue().splitlines()[-1]
