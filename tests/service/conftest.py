"""What the tests of the service share: one that runs, and an instance for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import Client, ready


@pytest.fixture(scope="module")
def client(installed: Complete) -> Iterator[Client]:
    with ready(installed) as found:
        yield found


@pytest.fixture(scope="module")
def example(client: Client) -> dict[str, Any]:
    """One instance, as the service itself gives it."""
    _, model = client.get(f"/api/v1/{NAME}/model")
    return {each["name"]: each["example"] for each in model["inputs"]}
