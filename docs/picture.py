"""Makes docs/graph.png: the graph of one use case as the Dagster UI shows it.

Run `leeway demo` and `leeway dev` first, then `.venv/bin/python docs/picture.py`. Needs Debian's
chromium, which Playwright drives.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PICTURE = Path(__file__).parent / "graph.png"


def open_graph(page: Page, address: str) -> None:
    """Opens the lineage and waits until the last node of a use case is drawn."""
    page.goto(f"{address}/asset-groups")
    page.get_by_text("performance", exact=True).last.wait_for(timeout=60_000)
    page.wait_for_timeout(2_000)  # the canvas zooms to fit after it has drawn


def main(address: str) -> None:
    """Takes the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 640})
        open_graph(page, address)
        page.screenshot(path=PICTURE, clip={"x": 225, "y": 0, "width": 1175, "height": 640})
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
