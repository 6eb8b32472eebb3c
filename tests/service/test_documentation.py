"""The OpenAPI document: the service does what it says, and the page shows it without a network.

Belongs here: requests that are made from the document. Does not belong here: chosen ones
(test_bad_input.py).
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from resources.settings import PROJECT
from tests.faults.harness import LONG, SEED, figure, times, zero
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import PREDICT, Client, bearer, new_key, ready

pytestmark = pytest.mark.timeout(7200 if LONG else 1200)


@pytest.fixture(scope="module")
def closed(client: Client, installed: Complete) -> Iterator[Client]:
    """A service that asks for keys; `client` was started before there was one, and does not."""
    _, key = new_key(installed, "admin")
    try:
        with ready(installed, LEEWAY_SERVE_RATE="100000") as found:
            found.headers = bearer(key)
            yield found
    finally:
        shutil.rmtree(installed.home / "keys")


def schemathesis(client: Client, folder: Path, *more: str) -> int:
    """Tries every operation with all checks; how many requests there were."""
    program = Path(sys.executable).with_name("schemathesis")
    shown = [each for name, value in client.headers.items() for each in ("-H", f"{name}: {value}")]
    done = subprocess.run(
        [
            *(str(program), "run", f"http://127.0.0.1:{client.port}/openapi.json"),
            *("--checks", "all", "--max-examples", str(times(100)), "--seed", str(SEED)),
            *("--continue-on-failure", "--no-color", "--generation-database", "none"),
            # The first explanation of a release loads libraries, and others use the machine.
            *("--request-timeout", "60", "--max-response-time", "60"),
            # Its bodies are files, which nobody makes of a schema (test_batch_predict.py).
            *("--exclude-path-regex", "batch_predict$", *shown, *more),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout[-6_000:]
    counted = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert counted is not None, done.stdout
    return int(counted[1])


@pytest.mark.faults
def test_no_request_made_from_the_document_finds_a_500_or_an_answer_that_it_does_not_have(
    client: Client, closed: Client, tmp_path: Path
) -> None:
    """An open service and a closed one have the same routes: one of them is tried briefly."""
    briefly = () if LONG else ("--phases", "examples,coverage")
    tried = schemathesis(client, tmp_path, *briefly)
    # Who shows no key has 20 tries a second, and these two checks may be faster. That every
    # route needs a key is in test_keys.py.
    others = ("--exclude-checks", "ignored_auth,missing_required_header")
    tried += schemathesis(closed, tmp_path, *others)
    figure(zero(tried, "requests made from the OpenAPI document had an answer it does not have"))
    assert tried >= 300


def test_every_operation_documents_what_it_may_answer_and_its_key(
    client: Client, closed: Client
) -> None:
    _, document = client.get("/openapi.json")
    assert "securitySchemes" not in document["components"]
    predict = document["paths"][PREDICT]["post"]["responses"]
    said = {"200", "400", "403", "404", "408", "413", "415", "421", "422", "429", "431", "503"}
    assert set(predict) == said
    assert set(predict["422"]["content"]) == {"application/problem+json"}
    _, document = closed.get("/openapi.json")
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert set(document["paths"][PREDICT]["post"]["responses"]) == said | {"401"}
    assert document["paths"]["/health"]["get"]["security"] == []
    assert document["paths"][f"/api/v1/{NAME}/reload"]["post"]["security"] == [{"key": ["admin"]}]


def picture() -> ModuleType:
    """The script of the pictures, which knows how to start the browser."""
    spec = importlib.util.spec_from_file_location("picture", PROJECT / "docs" / "picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One that reaches this machine alone."""
    script = picture()
    if shutil.which(script.CHROMIUM) is None:
        pytest.skip(f"{script.CHROMIUM} is not there; on Debian: apt install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=script.CHROMIUM, args=list(script.FLAGS))
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """With nothing that another page has kept."""
    found = browser.new_page()
    yield found
    found.close()


def watched(page: Page, port: int) -> tuple[list[str], list[str]]:
    """What the page asks of others than the service, and what the browser complains of."""
    strangers: list[str] = []
    complaints: list[str] = []
    own = f"http://127.0.0.1:{port}/"

    def look(url: str) -> None:
        if not url.startswith((own, "data:", "blob:")):
            strangers.append(url)

    page.on("request", lambda request: look(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    return strangers, complaints


@pytest.mark.debian
def test_the_page_shows_every_operation_and_tries_one_and_loads_nothing_from_elsewhere(
    client: Client, page: Page
) -> None:
    strangers, complaints = watched(page, client.port)
    page.goto(f"http://127.0.0.1:{client.port}/docs")
    page.wait_for_selector(".opblock")
    _, document = client.get("/openapi.json")
    shown = {
        text.replace("\u200b", "")
        for text in page.locator(".opblock-summary-path").all_inner_texts()
    }
    assert shown == set(document["paths"])
    block = page.locator(".opblock-post", has_text=f"/{NAME}/predict")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    block.locator(".live-responses-table .response-col_status", has_text="200").wait_for()
    assert strangers == []
    assert complaints == []


@pytest.mark.debian
def test_the_page_asks_for_a_key_where_one_is_needed(closed: Client, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{closed.port}/docs")
    page.get_by_label("Key").fill("leeway_no_key")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("not valid").wait_for()
    page.get_by_label("Key").fill(closed.headers["Authorization"].removeprefix("Bearer "))
    page.get_by_role("button", name="Show").click()
    page.wait_for_selector(".opblock")
