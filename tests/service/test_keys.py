"""Who may ask: keys, scopes, Host and Origin, on services that are asked over HTTP.

Belongs here: what opens and what does not. Does not belong here: how a key is kept
(tests/unit/test_keys.py).
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from serving.guard import OPEN
from serving.process import service
from tests.faults.harness import figure, until, zero
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import API, PREDICT, Client, bearer, new_key, ready, received

pytestmark = pytest.mark.timeout(300)
BODY = b'{"instances": [{}]}'


@pytest.fixture(scope="module")
def keys(installed: Complete) -> Iterator[dict[str, str]]:
    yield {scope: new_key(installed, scope)[1] for scope in ("predict", "admin")}
    shutil.rmtree(installed.home / "keys")


@pytest.fixture(scope="module")
def closed(installed: Complete, keys: dict[str, str]) -> Iterator[Client]:
    variables = {"LEEWAY_SERVE_ORIGINS": "https://dashboard.example.org"}
    with ready(installed, **variables) as found:
        yield found


def test_a_service_for_others_or_in_production_does_not_start_without_a_key(
    installed: Complete,
) -> None:
    assert not (installed.home / "keys").exists()
    done = installed.leeway("serve", "--host", "0.0.0.0", "--port", "8999")  # noqa: S104
    assert done.code == 1
    assert done.err.strip() == (
        "error: the service listens on 0.0.0.0, so that who asks needs a key, and there is none; "
        "`leeway keys new` makes one"
    )
    production = {
        "LEEWAY_ENVIRONMENT": "production",
        "LEEWAY_DATABASE_URL": "postgresql://ana:S3cret-canary@127.0.0.1:1/leeway",
    }
    done = installed.leeway("serve", "--port", "8999", seconds=240, **production)
    assert done.code == 1
    assert "LEEWAY_ENVIRONMENT is production, so that who asks needs a key" in done.err


def test_every_route_needs_a_key_but_those_that_tell_nothing(
    closed: Client, keys: dict[str, str]
) -> None:
    _, document = ask(closed, "GET", "/openapi.json", bearer(keys["predict"]))
    paths = {(m.upper(), path) for path, each in document["paths"].items() for m in each}
    hidden = {("GET", "/"), ("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/nothing")}
    tricks = {("GET", f"{path}/") for path in OPEN} | {("GET", "//health"), ("GET", "/HEALTH")}
    for number, (method, path) in enumerate(sorted(paths | hidden | tricks)):
        status, content = raw(closed, method, path, f"127.0.{number}.3")
        if path in OPEN:
            assert status in (200, 503), path
        else:
            assert status == 401, path
            assert "key" in json.loads(content)["detail"]
    assert len(paths - {("GET", path) for path in OPEN}) >= 6, "the control: there are routes"


def ask(
    client: Client, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    answer = client.ask(method, path, None, headers)
    is_json = "json" in answer.headers["content-type"]
    return answer.status, json.loads(answer.data) if is_json else {}


def routes() -> set[tuple[str, str]]:
    """Method and path of everything that the application routes, as it was put together."""
    guard = service("127.0.0.1", closed=True)
    front = guard._app._app  # type: ignore[attr-defined]  # behind what counts and asks for keys
    app = front._app  # whose routes include what the front answers
    found = {
        (method, each.path.replace("{use_case}", NAME))
        for each in app.routes
        if isinstance(each, Route)
        for method in each.methods or {"GET"}
    }
    others = [each for each in app.routes if not isinstance(each, Route)]
    assert not any(each.original_router.routes for each in others), "all others have no route"
    return found


def spelt(path: str) -> list[str]:
    """Ways to write a path that a server, a proxy or a guard may read as another one."""
    return [
        *(f"{path}/", f"/{path}", f"{path}//", f"{path}%2f", f"{path}?", f"{path}%00", f"/.{path}"),
        *(f"/health/..{path}", f"/health/%2e%2e{path}", f"/ready/%2e%2e%2f..{path}", path.upper()),
        *(f"/%{ord(path[1]):02x}{path[2:]}" if path[1:] else "/%2e", f"{path};/health"),
        *(f"{path}%23/health", f"/docs{path}", f"http://127.0.0.1/health/..{path}"),
    ]


@pytest.mark.faults
def test_no_route_no_method_and_no_spelling_of_a_path_is_open(closed: Client) -> None:
    asked = [*sorted(routes())]
    assert len(asked) > 20, "the control: there are routes"
    paths = sorted({path for _, path in asked})
    asked += [(m, path) for path in paths for m in ("HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")]
    asked += [("GET", odd) for path in paths if path not in OPEN for odd in spelt(path)]
    opened = []
    for number, (method, path) in enumerate(asked):
        status, _ = raw(closed, method, path, f"127.0.{number % 100}.2")
        if path.partition("?")[0] not in OPEN and status not in (400, 401, 404, 405, 421):
            opened.append((method, path, status))
    assert opened == []
    figure(f"keys: {zero(len(asked), 'routes, methods and spellings of paths were open')}")


def raw(
    client: Client, method: str, path: str, origin: str, more: bytes = b""
) -> tuple[int, bytes]:
    """Status and body of a request that goes over the wire as it is, from an address of its own.

    Strangers have 20 tries a second from each address, and this machine has 2^24 of them.
    """
    place = ("127.0.0.1", client.port)
    with socket.create_connection(place, 30, source_address=(origin, 0)) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: evil.org\r\nConnection: close\r\n"
        connection.sendall(head.encode() + more + b"Content-Length: 0\r\n\r\n")
        head_of_it, _, content = received(connection).partition(b"\r\n\r\n")
        return int(head_of_it[9:12]), content


def test_a_key_opens_what_its_scope_says(closed: Client, keys: dict[str, str]) -> None:
    for scope, allowed in (("predict", 403), ("admin", 200)):
        shown = bearer(keys[scope])
        assert closed.ask("POST", PREDICT, BODY, shown).status == 200
        assert closed.ask("GET", "/metrics", headers=shown).status == 200
        admin = (("GET", "/health/deep"), ("POST", f"{API}/reload"), ("GET", f"{API}/why"))
        for method, path in admin:
            answer = closed.ask(method, path, headers=shown)
            assert answer.status == allowed
            assert allowed == 200 or 'scope="admin"' in answer.headers["www-authenticate"]


def test_what_is_no_key_opens_nothing(closed: Client, keys: dict[str, str]) -> None:
    key = keys["admin"]
    identity = key.split("_")[1]
    wrong = [
        *("Bearer", "Bearer ", f"Basic {key}", key, f"Bearer {key}x", f"Bearer {key[:-1]}"),
        *(f"Bearer leeway_{identity}_", f"Bearer leeway_{identity}", "Bearer leeway__"),
        *(f"Bearer {key.swapcase()}", "Bearer \xff\xfe", f"Bearer x{key}", f"Bearer {key} {key}"),
    ]
    for number, shown in enumerate(wrong):
        given = b"Authorization: " + shown.encode("latin-1") + b"\r\n"
        assert raw(closed, "GET", "/metrics", f"127.0.{number}.4", given)[0] == 401, shown
    answer = closed.ask("GET", "/metrics", headers={"Authorization": wrong[0]})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('Bearer realm="leeway"')
    assert closed.get(f"/metrics?key={key}&access_token={key}")[0] == 401
    assert closed.get("/ready") == (200, {"status": "ready"}), "no more than a probe needs"


@pytest.mark.faults
def test_keys_are_added_and_revoked_under_load_without_a_failed_request(
    installed: Complete, closed: Client
) -> None:
    identity, old = new_key(installed, "predict", "rotation")
    current, statuses, done = [old], [], threading.Event()
    assert until(lambda: closed.ask("GET", "/", headers=bearer(old)).status == 200, 3) is not None

    def load() -> None:
        while not done.is_set():
            statuses.append(closed.ask("GET", "/", headers=bearer(current[0])).status)
            time.sleep(0.002)  # a key has 1,000 requests a second

    thread = threading.Thread(target=load)
    thread.start()
    _, new = new_key(installed, "predict", "rotation")
    assert until(lambda: closed.ask("GET", "/", headers=bearer(new)).status == 200, 3) is not None
    current[0] = new
    assert installed.leeway("keys", "revoke", identity).code == 0
    seconds = until(lambda: closed.ask("GET", "/", headers=bearer(old)).status == 401, 3)
    done.set()
    thread.join()
    assert seconds is not None
    assert set(statuses) == {200}
    assert len(statuses) > 100
    figure(
        f"keys: {zero(len(statuses), 'requests failed')} while a key was made and another revoked, "
        f"which was refused {seconds:.2f} s after the command ended"
    )


def test_the_list_shows_no_secret_and_a_wrong_id_is_told(
    installed: Complete, keys: dict[str, str]
) -> None:
    listed = installed.leeway("keys", "list", "--json")
    assert {key["scope"] for key in listed.json["keys"]} >= {"predict", "admin"}
    kept = "".join(path.read_text() for path in (installed.home / "keys").iterdir())
    for text in keys.values():
        assert text.split("_", 2)[2] not in listed.out + kept
    done = installed.leeway("keys", "revoke", "../keys/0123")
    assert done.code == 1
    assert done.err.startswith("error: there is no key '../keys/0123'; there are: ")


ORIGINS = {
    "https://dashboard.example.org": True,
    "http://dashboard.example.org": False,
    "https://dashboard.example.org.evil.org": False,
    "https://evil.org": False,
    "null": False,
    "": False,
    "*": False,
    "https://dashboard.example.org:8443": False,
    "https://xdashboard.example.org": False,
    "https://dashboard.example.org.": False,
    "https://dashboard.example.org:443": False,
    "https://dashboard.example.org/": False,
    "https://dashboard.example.org@evil.org": False,
    "https://user@dashboard.example.org": False,
    "https://evil.org?https://dashboard.example.org": False,
    "https://evil.org, https://dashboard.example.org": False,
    "https://dashboard.example.org https://evil.org": False,
    "https://dashboardXexample.org": False,
    "file://": False,
    "https://*": False,
}


@pytest.mark.faults
@pytest.mark.parametrize("origin", ORIGINS)
def test_scripts_of_listed_origins_may_ask_and_no_others(
    closed: Client, keys: dict[str, str], origin: str
) -> None:
    headers = bearer(keys["predict"]) | {"Origin": origin}
    answer = closed.ask("POST", PREDICT, BODY, headers)
    assert answer.status == (200 if ORIGINS[origin] else 403)
    shown = answer.headers.get("access-control-allow-origin")
    assert shown == (origin if ORIGINS[origin] else None)
    assert "access-control-allow-credentials" not in answer.headers
    asking = {"Access-Control-Request-Method": "POST", "Origin": origin}
    before = closed.ask("OPTIONS", PREDICT, headers=asking)
    assert (before.status == 200) == ORIGINS[origin]
    if ORIGINS[origin]:
        assert before.headers["access-control-max-age"] == "3600"
        assert before.headers["access-control-allow-methods"] == "GET, POST"
    else:
        assert before.headers["content-type"] == "application/problem+json"


def test_the_services_own_page_may_ask(closed: Client, keys: dict[str, str]) -> None:
    own = bearer(keys["predict"]) | {"Origin": f"http://127.0.0.1:{closed.port}"}
    assert closed.ask("POST", PREDICT, BODY, own).status == 200


def test_a_key_has_so_many_requests_a_second_and_is_told_when_to_come_again(
    installed: Complete, keys: dict[str, str]
) -> None:
    with ready(installed, LEEWAY_SERVE_RATE="20") as client:
        statuses = []
        for _ in range(60):
            answer = client.ask("GET", "/", headers=bearer(keys["predict"]))
            statuses.append(answer.status)
        told = json.loads(answer.data)
        assert set(statuses) == {200, 429}
        assert 20 <= statuses.count(200) < 60
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert "more than 20 requests a second" in told["detail"]
        assert client.ask("GET", "/", headers=bearer(keys["admin"])).status == 200, "another key"
        assert client.alive(), "probes are not counted"
        strangers = [client.ask("GET", "/").status for _ in range(60)]
        assert {key for key, _ in itertools.groupby(strangers[:20])} == {401}
        assert 429 in strangers


def test_no_secret_is_in_an_answer_or_in_the_log(installed: Complete, closed: Client) -> None:
    """Of a service that serves what `closed` served before, for its own database is nowhere."""
    assert closed.ready()
    canary = "S3cret-canary"
    variables = {
        "LEEWAY_ENVIRONMENT": "production",
        "LEEWAY_DATABASE_URL": f"postgresql://ana:{canary}@127.0.0.1:1/leeway",
        "LEEWAY_MLFLOW_TRACKING_URI": f"http://ana:{canary}@127.0.0.1:1/mlflow",
    }
    _, key = new_key(installed, "admin")
    with ready(installed, **variables) as client:
        texts = []
        for path in ("/health/deep", "/ready", "/metrics", "/", "/openapi.json"):
            texts.append(client.ask("GET", path, headers=bearer(key)).data.decode())
        answer = client.ask("POST", f"/api/v1/{NAME}/reload", headers=bearer(key))
        assert answer.status == 503
        texts.append(answer.data.decode())
    deep = json.loads(texts[0])
    assert deep["status"] == "degraded"
    assert all(deep["dependencies"][name]["error"] for name in ("database", "mlflow"))
    told = "\n".join([*texts, *client.lines])
    assert canary not in told
    assert key not in told
    assert not re.search(r"Traceback|File \"", told)
