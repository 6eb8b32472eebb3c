"""What a person reads of whether labels prove a gate broken.

Belongs here: words, for the check of a node and the report alike. Does not belong here: comparing a
metric with a gate (`leeway.performance`).
"""

from __future__ import annotations

from collections.abc import Sequence


def gates_told(declared: bool, broken: Sequence[str], labelled: int) -> tuple[str, str]:
    """Whether labels prove a gate broken, as the verdict on a batch, and why.

    Args:
        declared: whether the use case has a gate.
        broken: what `leeway.performance.broken_gates` said.
        labelled: rows that judge.
    """
    if not declared:
        return "undefined", "no gate is declared."
    if not labelled:
        return "undefined", "undefined: no row that judges has a label yet."
    if broken:
        return "confirmed", " ".join(broken)
    return "none", f"no gate is proven to be broken on {labelled} rows."
