"""The Dagster UI in a browser: the graph with its checks, and what a change of code makes stale.

Belongs here: what a person sees on the page of the lineage. Does not belong here: whether it is
true, which the tests of the graph and of the command line say.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, sync_playwright

from leeway.graph import TRAFFIC_NODES, nodes_of
from resources.settings import PROJECT
from tests.dev_server import dev
from tests.faults.harness import until
from tests.installed import Installed
from tests.project_copy import NAME, SEARCH

pytestmark = [pytest.mark.debian, pytest.mark.timeout(300)]
GRAPH = (*nodes_of("classification"), *TRAFFIC_NODES)
# A node as the page writes it: the badge where there is one, the name, and its rows.
# A node that nobody has materialized has no event, as windows of live traffic before anybody asks.
NODE = re.compile(
    r"(?:^(Unsynced) \(\d+\)\n)?^(\w+)\nLatest event\n(?:.*\n)?Asset checks\n(.*)\n", re.M
)
MODEL = Path("dbt_project/models/penguins/staging/penguins_staged.sql")


def picture() -> ModuleType:
    """The script that makes the picture of the README."""
    spec = importlib.util.spec_from_file_location("picture", PROJECT / "docs" / "picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(installed: Installed) -> Iterator[Page]:
    """The page of the lineage, drawn."""
    script = picture()
    if shutil.which(script.CHROMIUM) is None:
        pytest.skip(f"{script.CHROMIUM} is not there; on Debian: apt install chromium")
    with dev(installed) as server:
        server.says("Ctrl-C", 120)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=script.CHROMIUM, args=list(script.FLAGS)
            )
            found = browser.new_page(viewport=script.VIEWPORT)
            script.open_graph(found, f"http://127.0.0.1:{server.port}")
            yield found
            browser.close()


def seen(page: Page) -> dict[str, tuple[bool, str]]:
    """By node: whether it is called unsynced, and what is said of its checks."""
    found = NODE.findall(page.inner_text("body"))
    return {name: (bool(badge), checks) for badge, name, checks in found}


def test_the_graph_is_shown_with_every_node_and_green_checks(page: Page) -> None:
    names = sorted(node.name for node in GRAPH)
    assert until(lambda: sorted(seen(page)) == names, 30) is not None, page.inner_text("body")
    green = {
        "raw": "1 / 1 Passed",
        "clean": "8 / 8 Passed",
        "release": "1 / 1 Passed",
        "drift": "1 / 1 Passed",
        "damage": "1 / 1 Passed",
        "performance": "1 / 1 Passed",
    }
    found: dict[str, tuple[bool, str]] = {}

    def is_green() -> bool:  # the page asks for the checks after it has drawn the nodes
        page.wait_for_timeout(500)
        found.update(seen(page))
        passed = {name: text for name, (_, text) in found.items() if "Passed" in text}
        return {name: passed[name] for name in passed if passed[name] != "0 / 1 Passed"} == green

    assert until(is_green, 30) is not None, found
    assert [name for name, (unsynced, _) in found.items() if unsynced] == []


def test_mlflow_shows_the_champion_and_its_trials_and_changes_nothing(page: Page) -> None:
    port, browser = urlsplit(page.url).port, page.context.browser
    assert port is not None
    assert browser is not None
    mlflow, at = browser.new_page(), f"http://127.0.0.1:{port + 2}"
    mlflow.goto(f"{at}/#/models/{NAME}")
    mlflow.get_by_text("champion").first.wait_for(timeout=60_000)
    known = mlflow.request.get(
        f"{at}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": NAME}
    )
    number = known.json()["experiment"]["experiment_id"]
    mlflow.goto(f"{at}/#/experiments/{number}/runs")
    runs = 1 + SEARCH["trials"]
    mlflow.get_by_text(f"{runs} matching runs").wait_for(timeout=60_000)
    alias = {"name": NAME, "alias": "champion"}
    moved = mlflow.request.delete(f"{at}/api/2.0/mlflow/registered-models/alias", data=alias)
    folder = {"name": "etc", "artifact_location": "file:///etc"}
    made = mlflow.request.post(f"{at}/api/2.0/mlflow/experiments/create", data=folder)
    assistant = mlflow.request.get(f"{at}/ajax-api/3.0/mlflow/assistant/config")
    listed = mlflow.request.get(
        f"{at}/api/2.0/mlflow/experiments/search?max_results=9", headers={"Host": "example.org"}
    )
    assert (moved.status, made.status, assistant.status, listed.status) == (403, 403, 404, 403)
    assert "`leeway promote`" in moved.json()["message"]
    mlflow.close()


def test_a_changed_dbt_model_makes_the_nodes_that_rest_on_it_stale(
    page: Page, installed: Installed
) -> None:
    model = installed.project / MODEL
    before = model.read_text()
    model.write_text(before.replace("initcap(trim(species))", "initcap(btrim(species))"))
    try:
        page.get_by_role("button", name="Reload definitions").click()
        # Dagster works this out for nodes without batches alone.
        expected = sorted(node.name for node in GRAPH if not node.per_batch)
        found: list[str] = []

        def is_as_expected() -> bool:
            page.wait_for_timeout(500)
            found[:] = sorted(name for name, (unsynced, _) in seen(page).items() if unsynced)
            return found == expected

        assert until(is_as_expected, 60) is not None, f"stale in the UI: {found}"
    finally:
        model.write_text(before)
