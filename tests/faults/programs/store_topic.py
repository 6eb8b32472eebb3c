"""Stores every batch of a topic, as the node `raw` does; the broker is another process.

store_topic.py TOPIC
"""

from __future__ import annotations

import sys

import dagster as dg

from assets import raw
from assets.stage import stage_of
from leeway.spec import UseCase
from resources.platform import Platform
from resources.sources import open_source

NAME = "sensors"
COLUMNS = [
    {"name": "id", "type": "integer", "role": "key", "description": "d", "required": True},
    {"name": "x", "type": "number", "description": "d"},
    {"name": "y", "type": "number", "role": "target", "description": "d"},
]


def use_case(topic: str) -> UseCase:
    """A use case that reads the topic, 50 messages a batch."""
    source = {"kind": "kafka", "servers_env": "SENSORS", "topic": topic, "group": "g",
              "tls": False, "rows": 50, "wait": "0s"}  # fmt: skip
    return UseCase.model_validate(
        {"title": "t", "task": "regression", "source": source, "columns": COLUMNS}
    )


def main() -> None:
    """Stores what there is."""
    found = use_case(sys.argv[1])
    platform = Platform()
    batches = open_source(found).batches()
    print("batches", len(batches), flush=True)  # noqa: T201  # the test waits for it
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(f"{NAME}_batches", batches)
        for batch in batches:
            if platform.ledger.current(NAME, "raw", batch) is None:
                dg.materialize(
                    [raw.build(stage_of(NAME, found))],
                    instance=instance,
                    partition_key=batch,
                    resources={"platform": platform},
                )


if __name__ == "__main__":
    main()
