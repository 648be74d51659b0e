"""The page in a real browser, from disk: search, sort, cards, keyboard, and not one request."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.report.conftest import HOSTILE, IDS, N_CELLS

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(NAMES)} is installed"),
    pytest.mark.xdist_group("browser"),
]


@dataclass
class Opened:
    """A page that was opened, and what the browser noted."""

    page: Page
    address: str
    noted: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def patients(self) -> list[str]:
        """The ids of the listed patients, from the top."""
        return self.page.locator("#rows tr:visible button").all_inner_texts()

    def title(self) -> str:
        return self.page.locator("#card-title").inner_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Opened]:
    tab = browser.new_page()
    result = Opened(tab, page.as_uri())
    tab.on("console", lambda message: result.noted.append(message.text))
    tab.on("pageerror", lambda error: result.noted.append(str(error)))
    tab.on("dialog", lambda dialog: (result.noted.append(dialog.message), dialog.dismiss()))
    tab.on("request", lambda request: result.requests.append(request.url))
    tab.goto(result.address)
    yield result
    tab.close()


def test_the_page_opens_from_disk_without_errors_or_requests(opened: Opened) -> None:
    assert opened.noted == []
    outside = [url for url in opened.requests if not url.startswith("data:")]
    assert outside == [opened.address]


def test_names_that_are_html_are_shown_as_text(opened: Opened) -> None:
    assert set(opened.patients()) == set(IDS)
    for name in HOSTILE:
        opened.page.get_by_role("button", name=name, exact=True).click()
        assert opened.title() == f"Patient {name}"
    made = "img:not([src^='data:']), h1 em, #submission i, #cells b, code u"
    assert opened.page.locator(made).count() == 0
    assert opened.noted == []


def test_patients_are_found_by_their_id(opened: Opened) -> None:
    opened.page.get_by_label("Patient id contains").fill("p1")
    assert opened.patients() == ["P10"]
    assert opened.page.get_by_role("status").inner_text() == f"1 of {len(IDS)} patients"


def test_patients_are_sorted_by_error_disagreement_and_id(opened: Opened) -> None:
    assert opened.patients()[:2] == ["NA", "P2"]
    assert opened.title() == "Patient NA"
    sort = opened.page.get_by_label("Sort by")
    sort.select_option("disagreement")
    assert opened.patients()[0] == "P10"
    sort.select_option("id")
    assert opened.patients() == list(IDS)


def test_a_card_shows_every_cell_and_every_model(opened: Opened) -> None:
    opened.page.get_by_role("button", name="P2", exact=True).click()
    card = opened.page.locator("#card")
    assert card.get_by_role("img").count() == N_CELLS
    assert card.locator(".for li").count() + card.locator("li.against").count() > 0
    assert card.locator("li.for").count() == card.locator("li.against").count() == N_CELLS / 2
    assert card.locator("tbody th").all_inner_texts() == ["product", "linear", "clinical"]
    card.get_by_label("Cells in the order of").select_option(label="linear, attention")
    assert card.locator("li.for").count() == 0
    assert card.get_by_role("img").count() == N_CELLS


def test_cells_are_ordered_by_their_score(opened: Opened) -> None:
    shown = opened.page.locator("#card li.for").all_inner_texts()
    values = [float(text.split("·")[1]) for text in shown]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0


def test_the_keyboard_is_enough(opened: Opened) -> None:
    press = opened.page.keyboard.press
    opened.page.get_by_label("Patient id contains").focus()
    opened.page.keyboard.type("00")
    press("Tab")  # the order
    press("Tab")  # the only patient that is listed
    press("Enter")
    assert opened.title() == "Patient 007"
    assert opened.page.evaluate("document.activeElement.id") == "card-title"
    press("Escape")
    assert opened.page.evaluate("document.activeElement.textContent") == "007"


def test_arrows_move_along_the_list(opened: Opened) -> None:
    opened.page.get_by_role("button", name="NA", exact=True).focus()
    opened.page.keyboard.press("ArrowDown")
    assert opened.page.evaluate("document.activeElement.textContent") == "P2"
    opened.page.keyboard.press("ArrowUp")
    assert opened.page.evaluate("document.activeElement.textContent") == "NA"


def test_the_page_is_marked_up_for_a_screen_reader(opened: Opened) -> None:
    assert opened.page.locator("html").get_attribute("lang") == "en"
    assert opened.page.locator("h1").count() == 1
    levels = opened.page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map((each) => Number(each.tagName[1]))"
    )
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert opened.page.locator("img:not([alt]), img[alt='']").count() == 0
    unnamed = "th:not([scope]), section:not([aria-labelledby]), [role=img]:not([aria-label])"
    assert opened.page.locator(f"{unnamed}:not([aria-labelledby])").count() == 0
    targets = opened.page.evaluate(
        "[...document.querySelectorAll('nav a')].every((a) => document.querySelector(a.hash))"
    )
    assert targets


def test_without_javascript_the_list_is_there(browser: Browser, page: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page.as_uri())
    assert tab.locator("#rows button").all_inner_texts() == list(IDS)
    assert tab.locator("noscript").is_visible()
    context.close()


def test_in_print_the_card_stays_and_the_controls_go(opened: Opened) -> None:
    opened.page.emulate_media(media="print")
    assert opened.page.locator("#card").is_visible()
    assert not opened.page.locator("#finder").is_visible()
    assert not opened.page.locator("nav").is_visible()
