"""The site builds without a warning, and its pages load nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytest.importorskip("material", reason="pip install --constraint constraints.txt '.[docs]'")
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(https?:[^\s\">]+)"
    r"|<link\b(?=[^>]*\brel=\"?(?:stylesheet|icon|preload|preconnect))[^>]*\bhref=\"?(https?:[^\s\">]+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    loaded = {str(page): LOADED.findall(page.read_text()) for page in pages}
    assert len(pages) > 20
    assert {page: found for page, found in loaded.items() if found} == {}


def test_the_api_shows_names_shapes_and_errors(site: Path) -> None:
    page = (site / "api" / "bags.html").read_text()
    assert 'id="lymphokit.bags.packed.Bags"' in page
    text = re.sub(r"<[^>]+>", "", page)
    assert re.search(r"Packed bags of cells: bag i has the cells", text)
    assert re.search(r"^Raises EmptyBagError where a bag has no cell", text, re.M)


def test_code_of_the_build_is_no_page(site: Path) -> None:
    assert list(site.rglob("*.py")) == []
