"""Which columns are like the reference, batch by batch, as a picture.

Belongs here: the picture. Does not belong here: any verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

STATES = ("none", "suspect", "confirmed", "undefined")
COLOURS = alt.Scale(domain=list(STATES), range=["#4c9a6a", "#e0a030", "#c0392b", "#999999"])
_MEASURES = ("ks", "total_variation")  # both 0 to 1


def columns_chart(batches: Sequence[Any]) -> Any:
    """A tile for each column and batch: its distance from the reference, and what follows of it.

    Args:
        batches: as the service gives them, oldest first.
    """
    rows = [row for each in batches for row in _tiles(each)]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("batch:N", sort=[each["batch"] for each in batches], title="batch"),
        y=alt.Y("column:N", axis=alt.Axis(title=None, labelLimit=300)),
    )
    tiles = base.mark_rect(stroke="white").encode(
        color=alt.Color("state:N", scale=COLOURS, title="drift"),
        tooltip=["batch:N", "column:N", "state:N", "measure:N", "distance:Q"],
    )
    return tiles + base.mark_text(color="white").encode(text=alt.Text("distance:Q", format=".2f"))


def _tiles(batch: Any) -> list[dict[str, Any]]:
    drift = batch["drift"] or {}
    found = []
    for column, measures in batch["distances"].items():
        measure = next((each for each in _MEASURES if each in measures), None)
        verdict = drift["verdict"]
        moved = column in drift["columns"] or verdict == "undefined"
        found.append(
            {
                "batch": batch["batch"],
                "column": column,
                "state": verdict if moved else "none",
                "measure": measure,
                "distance": None if measure is None else measures[measure],
            }
        )
    return found
