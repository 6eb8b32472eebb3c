"""What is recorded of a use case, for people who look at it: batches, decisions, an experiment.

Belongs here: queries of the newest of it. Does not belong here: what the controller decides by
(`resources.recorded`), or releases and moves (`resources.releases`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from leeway.performance import WHOLE as ALL_ROWS
from resources.postgres import transaction
from resources.settings import Settings

if TYPE_CHECKING:
    import psycopg2.extensions

_JUDGED = ("drift", "damage", "performance")


def use_cases(settings: Settings) -> dict[str, Literal["experiment", "model"]]:
    """The use cases of which a batch is known, and what they come to.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        cursor.execute(
            "select use_case, exists (select from leeway.current as c where "
            "c.use_case = b.use_case and c.node = 'effects') from leeway.batches as b "
            "group by use_case order by use_case"
        )
        return {name: "experiment" if found else "model" for name, found in cursor.fetchall()}


def batches(settings: Settings, use_case: str, limit: int) -> list[dict[str, Any]]:
    """The newest batches, newest first: what came, what was found, how good predictions were.

    `drift`, `damage` and `performance` are what these nodes recorded, None where they did not;
    `distances` are of each column from the reference, by measure.
    `metrics` are of all labelled rows, under the release that `performance` names.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        cursor.execute(_BATCHES, {"use_case": use_case, "limit": limit})
        rows = cursor.fetchall()
        metrics = _metrics(cursor, use_case, "performance", [row[0] for row in rows])
    return [
        {
            "batch": batch,
            "discovered_at": at,
            "rows": facts.get("raw", {}).get("rows"),
            "rejected": facts.get("raw", {}).get("rejected"),
            "origin": facts.get("raw", {}).get("origin"),
            **{node: _told(facts.get(node)) for node in _JUDGED},
            "distances": _distances(facts.get("drift") or {}),
            "metrics": metrics.get(batch, {}),
        }
        for batch, at, facts in rows
    ]


def _told(facts: dict[str, Any] | None) -> dict[str, Any] | None:
    """What was recorded, but for what is for machines alone."""
    return facts and {name: value for name, value in facts.items() if name != "effects"}


def _distances(drift: dict[str, Any]) -> dict[str, dict[str, float]]:
    """By column and measure; beside each distance its noise is recorded."""
    return {
        column: {measure: found[0] for measure, found in measures.items()}
        for column, measures in drift.get("effects", {}).items()
    }


def windows(settings: Settings, use_case: str, limit: int) -> list[dict[str, Any]]:
    """The newest windows of live traffic, newest first; empty where there is none.

    `drift` and `performance` are what was found, None where nothing was yet; `metrics` as of
    `batches`, under the champion of its time.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        cursor.execute(_WINDOWS, {"use_case": use_case, "limit": limit})
        rows = cursor.fetchall()
        metrics = _metrics(cursor, use_case, "traffic_performance", [row[0] for row in rows])
    return [
        {
            "window": name,
            "since": since,
            "until": until,
            "answers": facts.get("traffic", {}).get("rows"),
            "versions": facts.get("traffic", {}).get("versions"),
            "warned": facts.get("traffic", {}).get("warned"),
            "drift": facts.get("traffic_drift"),
            "performance": facts.get("traffic_performance"),
            "metrics": metrics.get(name, {}),
        }
        for name, since, until, facts in rows
    ]


def _metrics(
    cursor: psycopg2.extensions.cursor, use_case: str, node: str, batches: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """By batch and name, of all labelled rows, under the release that the node names."""
    cursor.execute(_METRICS, {"use_case": use_case, "node": node, "batches": list(batches)})
    found: dict[str, dict[str, Any]] = {}
    for batch, name, *values in cursor.fetchall():
        fields = ("value", "low", "high", "unit", "rows", "reason")
        found.setdefault(batch, {})[name] = dict(zip(fields, values, strict=True))
    return found


_WINDOWS = """
    with newest as (
        select batch, since, until, ordinal from leeway.windows where use_case = %(use_case)s
        order by ordinal desc limit %(limit)s)
    select newest.batch, newest.since, newest.until,
        coalesce(jsonb_object_agg(m.node, m.facts - 'effects' || jsonb_build_object('rows', m.rows))
                 filter (where m.node is not null), '{}')
    from newest
    left join leeway.current as c
        on c.use_case = %(use_case)s and c.batch = newest.batch
            and c.node in ('traffic', 'traffic_drift', 'traffic_performance')
    left join leeway.commits as m on m.id = c.commit_id
    group by newest.batch, newest.since, newest.until, ordinal order by ordinal desc
"""
_BATCHES = """
    with newest as (
        select batch, discovered_at, ordinal from leeway.batches where use_case = %(use_case)s
        order by ordinal desc limit %(limit)s)
    select newest.batch, discovered_at,
        coalesce(jsonb_object_agg(m.node, m.facts) filter (where m.node is not null), '{}')
    from newest
    left join leeway.current as c
        on c.use_case = %(use_case)s and c.batch = newest.batch
            and c.node in ('raw', 'drift', 'damage', 'performance')
    left join leeway.commits as m on m.id = c.commit_id
    group by newest.batch, discovered_at, ordinal order by ordinal desc
"""
_METRICS = f"""
    select m.batch, metric, value, low, high, unit, m.rows, reason
    from monitoring.segment_metrics as m
    join leeway.current as c on (c.use_case, c.node, c.batch) = (m.use_case, %(node)s, m.batch)
    join leeway.commits on commits.id = c.commit_id
    where m.use_case = %(use_case)s and m.batch = any(%(batches)s) and segment = '{ALL_ROWS}'
        and m.version = (commits.facts ->> 'version')::integer
    order by m.batch, metric
"""  # noqa: S608  # a constant


def decisions(settings: Settings, use_case: str, limit: int) -> list[dict[str, Any]]:
    """What the controller decided, newest first.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    names = ("at", "state", "action", "cause", "incident", "attempt", "reason", "diagnosis")
    with transaction(settings) as cursor:
        cursor.execute(
            f"select {', '.join(names)} from leeway.decisions where use_case = %s "  # noqa: S608
            "order by seq desc limit %s",
            (use_case, limit),
        )
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def experiment(settings: Settings, use_case: str) -> dict[str, Any]:
    """What an experiment found, by node; empty where none was analysed.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        cursor.execute(
            "select node, facts from leeway.current join leeway.commits using (use_case, node, "
            "batch) where commits.id = commit_id and use_case = %s "
            "and node in ('effects', 'savings')",
            (use_case,),
        )
        return dict(cursor.fetchall())
