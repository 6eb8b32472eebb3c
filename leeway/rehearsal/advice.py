"""What to add so that a fault is caught next time: the next step for a person.

Belongs here: one sentence per fault and what was found of it. Does not belong here: the verdict.
"""

from __future__ import annotations

from leeway.rehearsal.findings import Finding
from leeway.spec import NUMERIC_TYPES, UseCase

_OF_ROWS = {
    "truncated": "add a dbt test on the number of rows of a batch to _marts.yml: nothing else "
    "knows how many there should be",
    "duplicate_rows": "give the table a key of its own in place of the row's position, or add a "
    "dbt test that no two rows have the same content",
    "duplicate_keys": "add the dbt tests unique and not_null on the key to _marts.yml",
    "late_batch": "add a dbt test that the time of a batch is not before that of the batch before",
}
_MOVES = ("shift", "small_shift")
_OF_LABELS = ("label_delay", "concept_change")


def advice(found: Finding, use_case: UseCase) -> str:
    """What to do about a fault that survived, or was caught late; empty where there is nothing."""
    if found.verdict == "survived":
        return _labels(found, use_case) or _remedy(found, use_case)
    if found.verdict != "caught late" or found.fault in _OF_LABELS:
        return ""  # labels come after predictions: there is no sooner
    first = found.caught_by[0]
    if first.node in ("drift", "performance"):
        seen = f"{first.node} saw it, beside the predictions"
        if found.fault in _MOVES:
            return f"{seen}; no rule for single rows can, and retraining is the answer"
        return f"{seen}; to keep such rows out, {_remedy(found, use_case)}"
    return f"some of its rows passed; to keep them out, too, {_remedy(found, use_case)}"


def _labels(found: Finding, use_case: UseCase) -> str:
    if found.fault == "label_delay":
        target = use_case.target.name
        return f"set required: true on {target} in defs.yaml if labels come with their rows"
    if found.fault != "concept_change":
        return ""
    if use_case.gates:
        return (
            "the gates in defs.yaml are not proven to be broken by these labels: a stricter one "
            "would be, or more labelled rows"
        )
    return "declare a gate in defs.yaml: it alone compares predictions with labels"


def _remedy(found: Finding, use_case: UseCase) -> str:
    """What would see the fault before its rows are predicted."""
    if found.fault in _OF_ROWS:
        return _OF_ROWS[found.fault]
    name = found.columns[0]
    if found.fault in ("new_level", "encoding"):
        return f"declare the values of {name} in defs.yaml"
    if found.fault == "nulls":
        return f"set required: true on {name} in defs.yaml, or add a dbt test on its share of gaps"
    if found.fault == "constant":
        return f"add a dbt test that {name} has more than one value in a batch"
    if found.fault in _MOVES:
        return f"{_floor(name, use_case)}. A move that no decision depends on may well survive"
    numeric = [each for each in found.columns if use_case.column(each).type in NUMERIC_TYPES]
    if not numeric:
        return f"add a dbt test on the values of {' and '.join(found.columns)}"
    ranged = all(use_case.column(each).range for each in numeric)
    how = "narrow" if ranged else "declare"
    noun = "the ranges" if len(numeric) > 1 else "the range"
    return f"{how} {noun} of {' and '.join(numeric)} in defs.yaml"


def _floor(name: str, use_case: UseCase) -> str:
    """The smallest move that drift judges, and how to make it smaller."""
    own = use_case.drift.smallest_change.get(name)
    if own is not None:
        return f"a drift.smallest_change.{name} below its {own:g} judges smaller moves"
    return (
        f"drift.smallest_change.{name} would judge smaller moves than the effect of "
        f"{use_case.drift.effect:g} does"
    )
