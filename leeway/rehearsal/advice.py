"""What to add so that a fault is caught next time: the next step for a person.

Belongs here: one sentence per fault and what was found of it. Does not belong here: the verdict.
"""

from __future__ import annotations

from leeway.rehearsal.findings import Finding
from leeway.spec import NUMERIC_TYPES, UseCase

_TRUNCATED = (
    "add a dbt test on the number of rows of a batch to _marts.yml: nothing else knows how many "
    "there should be"
)
_COPIES = (
    "give the table a key of its own in place of the row's position, or add a dbt test that no two "
    "rows have the same content"
)
_KEYS = "add the dbt tests unique and not_null on the key to _marts.yml"
_LATE = "add a dbt test that the time of a batch is not before that of the batch before"


def advice(found: Finding, use_case: UseCase) -> str:
    """What to do about a fault that survived, or was caught late; empty when it was caught."""
    if found.verdict == "survived":
        return _about_survivor(found, use_case)
    if found.verdict == "caught late":
        return _about_late(found, use_case)
    return ""


def _about_survivor(found: Finding, use_case: UseCase) -> str:
    column = found.columns[0] if found.columns else ""
    fixed = {
        "truncated": _TRUNCATED,
        "duplicate_rows": _COPIES,
        "duplicate_keys": _KEYS,
        "late_batch": _LATE,
    }
    if found.fault in fixed:
        return fixed[found.fault]
    if found.fault == "label_delay":
        return f"set required: true on {column} in defs.yaml if labels come with their rows"
    if found.fault == "concept_change":
        if use_case.gates:
            return (
                "the gates in defs.yaml are not proven to be broken by these labels: a stricter "
                "one would be, or more labelled rows"
            )
        return "declare a gate in defs.yaml: it alone compares predictions with labels"
    if found.fault in ("new_level", "encoding"):
        return f"declare the values of {column} in defs.yaml"
    if found.fault == "nulls":
        return (
            f"set required: true on {column} in defs.yaml, or add a dbt test on its share of nulls"
        )
    return _about_numbers(found, use_case)


def _about_numbers(found: Finding, use_case: UseCase) -> str:
    column = use_case.column(found.columns[0])
    drift = use_case.drift
    now = drift.smallest_change.get(column.name)
    floor = (
        f"drift.smallest_change.{column.name} is {now:g}; a smaller one judges smaller moves"
        if now is not None
        else f"a smaller drift.smallest_change.{column.name} judges smaller moves; it is an effect "
        f"of {drift.effect:g} now"
    )
    if column.type not in NUMERIC_TYPES:
        return floor
    ranged = "narrow the range" if column.range else "declare the range"
    if found.fault in ("shift", "small_shift"):
        return f"{floor}. A move that no decision depends on may well survive"
    return f"{ranged} of {column.name} in defs.yaml; or {floor}"


def _about_late(found: Finding, use_case: UseCase) -> str:
    first = found.caught_by[0]
    if found.fault in ("label_delay", "concept_change"):
        return ""  # labels come after predictions: there is no sooner
    if first.node in ("drift", "performance"):
        names = " and ".join(found.columns)
        return (
            f"only {first.node} saw it, beside the predictions: a range or values of {names} in "
            "defs.yaml, or a dbt test, would keep the rows out"
            if names
            else ""
        )
    return "some rows passed the rule that rejected others: a narrower range would keep them out"
