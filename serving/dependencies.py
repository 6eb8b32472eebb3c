"""What the service would have when all is well, asked one by one: for people, not for probes.

Belongs here: one look at each dependency, its time-out, and how long a result counts. Does not
belong here: what is served when one is away (`serving.champions`). Nothing here is on the way of a
request that predicts.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from resources.settings import Settings

TIMEOUT_SECONDS = 2.0
FRESH_SECONDS = 5.0
Look = Callable[[], None]  # raises where the dependency does not answer


def dependencies_of(settings: Settings) -> dict[str, Look]:
    """How to look at each: the database, the object store, and MLflow's server if there is one."""
    found: dict[str, Look] = {
        "database": partial(_database, settings),
        "object_store": partial(_object_store, settings),
    }
    if settings.mlflow_tracking_uri is not None:
        found["mlflow"] = partial(_mlflow, settings.mlflow_tracking_uri)
    return found


@dataclass(frozen=True)
class Seen:
    """What a look found: `problem` is None where the dependency answered within `seconds`."""

    problem: str | None
    seconds: float
    at: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "status": "answers" if self.problem is None else "does not answer",
            "seconds": round(self.seconds, 4),
            "error": self.problem,
        }


class Dependencies:
    """Looks at each at most every `FRESH_SECONDS`, and never twice at once."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = looks
        self._seen: dict[str, Seen] = {}
        self._looking: dict[str, Future[Seen]] = {}

    async def seen(self) -> dict[str, Seen]:
        """What is known of each now; waits for `TIMEOUT_SECONDS` at most."""
        results = await asyncio.gather(*(self._one(name) for name in self._looks))
        return dict(zip(self._looks, results, strict=True))

    async def _one(self, name: str) -> Seen:
        known = self._seen.get(name)
        if known is not None and time.monotonic() - known.at < FRESH_SECONDS:
            return known
        looking = self._looking.get(name)
        if looking is None or looking.done():
            looking = self._looking[name] = _looking(self._looks[name])
        try:
            waiting = asyncio.shield(asyncio.wrap_future(looking))
            found = await asyncio.wait_for(waiting, TIMEOUT_SECONDS)
        except TimeoutError:
            told = f"no answer within {TIMEOUT_SECONDS:g} s"
            found = Seen(told, TIMEOUT_SECONDS, time.monotonic())
        self._seen[name] = found
        return found


def _looking(look: Look) -> Future[Seen]:
    """A look in a thread of its own, which the end of the process does not wait for."""
    found: Future[Seen] = Future()
    threading.Thread(target=lambda: found.set_result(_timed(look)), daemon=True).start()
    return found


def _timed(look: Look) -> Seen:
    started = time.monotonic()
    problem = None
    try:
        look()
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".strip()
    ended = time.monotonic()
    return Seen(problem, ended - started, ended)


def _database(settings: Settings) -> None:
    from resources.postgres import transaction

    with transaction(settings, seconds=2 * TIMEOUT_SECONDS) as cursor:
        cursor.execute("select 1")


def _object_store(settings: Settings) -> None:
    next(settings.store_root.iterdir(), None)


def _mlflow(uri: str) -> None:
    """Asks its /health with whatever the address has; errors name the host alone."""
    import urllib3

    parts = urlsplit(uri)
    at = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user else {}
    with urllib3.PoolManager(retries=False, timeout=TIMEOUT_SECONDS) as pool:
        answer = pool.request("GET", f"{at}{parts.path.rstrip('/')}/health", headers=headers)
    if answer.status != 200:
        raise OSError(f"{at} answers with {answer.status}")
