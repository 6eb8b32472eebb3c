"""Makes the pictures of docs/dashboard: pages of the dashboard as a browser shows them.

Run `leeway demo` and `leeway dev` first, then `.venv/bin/python docs/dashboard_pictures.py`. Needs
Debian's chromium, which Playwright drives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from picture import CHROMIUM, FLAGS
from PIL import Image
from playwright.sync_api import Page, sync_playwright

VIEWPORT = {"width": 1300, "height": 850}
FOLDER = Path(__file__).parent / "dashboard"
COLOURS = 128
SECONDS = 90_000  # milliseconds; the first explanation of a release loads libraries
# What is about to be drawn again is marked as stale.
DONE = """() => !document.querySelector("[data-testid=stStatusWidget], [data-stale=true]")"""

Step = Callable[[Page], None]


def settled(page: Page) -> None:
    """Waits until the script of the page has run and its charts are drawn."""
    page.wait_for_timeout(500)  # before which it has not begun
    page.wait_for_function(DONE, timeout=SECONDS)
    page.wait_for_timeout(1_500)


def use_case(name: str) -> Step:
    """Chooses a use case in the side bar."""

    def step(page: Page) -> None:
        page.get_by_test_id("stSidebar").get_by_role("combobox").click()
        page.get_by_role("option", name=name, exact=True).click()

    return step


def view(name: str) -> Step:
    """Chooses a page in the side bar."""
    return lambda page: page.get_by_test_id("stSidebar").get_by_text(name, exact=True).click()


def press(name: str) -> Step:
    """Sends a form."""
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def scroll_to(text: str) -> Step:
    """Brings a heading to the top."""

    def step(page: Page) -> None:
        heading = page.get_by_role("heading", name=text)
        heading.evaluate("heading => heading.scrollIntoView({block: 'start'})")

    return step


PICTURES: dict[str, tuple[Step, ...]] = {
    "predict": (use_case("housing"), view("Predict"), press("Predict")),
    "explain": (
        use_case("penguins"),
        view("Explain"),
        press("Explain"),
        scroll_to("What each input did"),
    ),
    "map": (scroll_to("On the map"),),
    "compare": (use_case("real_estate"), view("Compare"), press("Compare")),
    "releases": (use_case("penguins"), view("Releases")),
    "watch": (view("Data, drift and performance"),),
    "why": (view("Why"),),
    "experiment": (use_case("tool_life"),),
}


def main(address: str) -> None:
    """Takes the pictures, each from where the one before left the page."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(address)
        page.get_by_test_id("stSidebar").get_by_role("combobox").wait_for(timeout=SECONDS)
        for name, steps in PICTURES.items():
            for step in steps:
                step(page)
                settled(page)
            taken = Image.open(BytesIO(page.screenshot())).convert("RGB")
            taken.quantize(COLOURS).save(FOLDER / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3004")
