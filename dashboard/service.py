"""The service over HTTP, and what it says when it does not answer, in words.

Belongs here: requests, time-outs, errors. Does not belong here: what is shown of the answers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

DEFAULT_URL = "http://127.0.0.1:8000"
SECONDS = 10.0
EXPLAIN_SECONDS = 65.0  # the service gives up after 60


class Failed(Exception):
    """No answer, or a refusal; the message says what a person can do."""


class Service:
    """One service, asked with one key."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._pool = urllib3.PoolManager(retries=False)

    def get(self, *path: str, **query: Any) -> Any:
        """What the service says at a path.

        Raises:
            Failed: when it does not.
        """
        return self._ask("GET", path, SECONDS, query=query)

    def post(self, *path: str, body: Mapping[str, Any], seconds: float = SECONDS) -> Any:
        """What the service answers to a body.

        Raises:
            Failed: when it does not.
        """
        return self._ask("POST", path, seconds, body=body)

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        seconds: float,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        address = "/".join([self.url, *(quote(part, safe="/") for part in path)])
        if query:
            address += "?" + urlencode(query)
        data = None if body is None else json.dumps(body)
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            answer = self._pool.request(
                method, address, body=data, headers=headers, timeout=seconds
            )
        except urllib3.exceptions.ReadTimeoutError as error:
            raise Failed(f"The service did not answer within {seconds:g} seconds.") from error
        except urllib3.exceptions.HTTPError as error:
            raise Failed(
                f"There is no service at {self.url}. Start it with `leeway serve`, or set "
                "LEEWAY_API_URL to where it is."
            ) from error
        try:
            found = json.loads(answer.data)
        except ValueError as error:
            raise Failed(f"What answers at {self.url} is not the service of Leeway.") from error
        if answer.status >= 400:
            raise Failed(_told(answer.status, found))
        return found


def connected(key: str | None = None) -> Service:
    """The service that LEEWAY_API_URL names, else the one of this machine."""
    return Service(
        os.environ.get("LEEWAY_API_URL", DEFAULT_URL), key or os.environ.get("LEEWAY_API_KEY")
    )


def _told(status: int, problem: Any) -> str:
    detail = str(problem.get("detail") or problem.get("title") or status)
    if problem.get("where"):
        detail += f" ({problem['where']}"
        if problem.get("value") is not None:
            detail += f" = {problem['value']}"
        detail += ")"
    if problem.get("allowed"):
        detail += f"; allowed: {problem['allowed']}"
    if status in (401, 403):
        detail += ". Give a key with the right to this in the side bar."
    return detail
