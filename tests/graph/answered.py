"""What a service answers to rows of a batch, beside what the graph predicted for them.

Belongs here: asking as a request does, from bytes to bytes. Does not belong here: HTTP
(tests/service), or what the answers should be.
"""

from __future__ import annotations

import json

import msgspec
import pytest

from leeway.data.tables import from_parquet
from leeway.served.contract import MOST_INSTANCES
from resources.platform import Platform
from serving.champions import champions, copies_of
from serving.loading import load


def assert_service_agrees(platform: Platform, name: str, batch: str) -> None:
    """The champion's service predicts of the rows what the node `predictions` has."""
    settings = platform.settings
    loaded = load(champions(settings)[name], copies_of(settings))
    clean, predicted = (
        from_parquet(platform.store.get(commit.uri, commit.digest)).slice(0, MOST_INSTANCES)
        for commit in (
            platform.ledger.require(name, node, batch) for node in ("clean", "predictions")
        )
    )
    instances = clean.select([each.name for each in loaded.inputs]).to_pylist()
    rows = loaded.contract.rows(json.dumps({"instances": instances}).encode())
    answer = json.loads(msgspec.json.encode(loaded.predict(rows)))
    found = [each["prediction"] for each in answer["predictions"]]
    expected = predicted["prediction"].to_pylist()
    assert len(found) == len(expected) > 0
    if loaded.manifest["classes"] is None:
        assert found == pytest.approx(expected, rel=1e-12)
        assert answer["predictions"][0]["interval"][0] < found[0]
    else:
        assert found == expected
