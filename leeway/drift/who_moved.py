"""What a person reads of who moved the columns of a batch, and what to do about it.

Belongs here: words, for the metadata of a node, its check and the report alike. Does not belong
here: finding it out (`leeway.drift.origin`).
"""

from __future__ import annotations

from collections.abc import Mapping

from leeway.drift.origin import Origin, Who
from leeway.drift.verdict import names_told

_WHAT_TO_DO: dict[Who, str] = {
    "pipeline": (
        "Nothing is trained until that step is mended and the batch taken in again: {again}"
    ),
    "world": "What follows is for the retraining policy to say.",
    "unknown": "It is not known to be ours, so that the retraining policy says what follows.",
}


def who_told(origins: Mapping[str, Origin], who: Who | None, again: str) -> str:
    """Who moved which columns, and what to do; empty where nothing is confirmed.

    Args:
        origins: by confirmed feature.
        who: `leeway.drift.origin.who_of` them.
        again: the command that takes the batch in again.
    """
    if who is None:
        return ""
    columns: dict[str, list[str]] = {}
    for name, origin in origins.items():
        columns.setdefault(origin.reason, []).append(name)
    told = [f"{names_told(names)}: {reason}" for reason, names in columns.items()]
    return " ".join([*told, _WHAT_TO_DO[who].format(again=again)])
