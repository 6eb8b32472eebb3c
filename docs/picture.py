"""Makes docs/graph.png: the graph of one use case as the Dagster UI shows it.

Run `leeway demo` and `leeway dev` first, then `.venv/bin/python docs/picture.py`. Needs Debian's
chromium, which Playwright drives.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
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
VIEWPORT = {"width": 4200, "height": 2600}  # large enough for Dagster to draw nodes in full
CANVAS = {"x": 250, "y": 175, "width": 3890, "height": 2425}  # the canvas without what surrounds it
GRAPH = "locations/__repository__@leeway/asset-groups/penguins/lineage"
MARGIN = 20  # pixels around the nodes
DARK = 200  # of 255: lines and text are darker, the dots of the canvas are not
PICTURE = Path(__file__).parent / "graph.png"


def open_graph(page: Page, address: str) -> None:
    """Opens the lineage of a use case and waits until its last node is drawn."""
    page.goto(f"{address}/{GRAPH}")
    page.get_by_text("performance", exact=True).last.wait_for(timeout=60_000)
    page.wait_for_timeout(2_000)  # the canvas zooms to fit after it has drawn
    page.get_by_text("Loading", exact=False).first.wait_for(state="detached", timeout=60_000)


def main(address: str) -> None:
    """Takes the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport=VIEWPORT)
        open_graph(page, address)
        data = page.screenshot(clip=CANVAS)
        browser.close()
    canvas = Image.open(BytesIO(data))
    left, top, right, bottom = canvas.convert("L").point(lambda v: v < DARK, "1").getbbox()
    nodes = canvas.crop((left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN))
    nodes.quantize(256, kmeans=1).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000")
