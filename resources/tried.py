"""The log of trials in PostgreSQL, and the evidence of a trial.

Belongs here: the table `monitoring.trial_log`, and joining it to answers and to labels that came.
Does not belong here: the trials themselves (`resources.trials`), or losses
(`leeway.trial.evidence`).

A label counts if no label of its row was known before the trial began: what was known, a model may
have been trained on. Of a row that was asked for several times, the first answer counts. What is
written in the background is seconds late, and is counted at the next look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeway.served.tried import COLUMNS
from leeway.spec import UseCase
from leeway.trial.evidence import Labelled, of_canary, of_shadow, unit_of
from leeway.trial.verdict import Evidence
from resources.inference_log import copy_once
from resources.labels import COUNTS_FIRST
from resources.postgres import has_table, transaction
from resources.settings import Settings
from resources.trials import Tried

if TYPE_CHECKING:
    import psycopg2.extensions

_COPY = f"copy monitoring.trial_log ({', '.join(COLUMNS)}) from stdin with (format csv)"
# Of each request the row that decided who answered; of a shadow, which answers all, each row.
_PAIRS = """
    select l.row_key, l.at, l.answer as champion, s.answer as challenger, true as chosen
    from monitoring.trial_log as t
    cross join lateral unnest(t.prediction_ids) with ordinality as p (id, place)
    join lateral jsonb_array_elements(t.answers) with ordinality as s (answer, place)
        using (place)
    join monitoring.inference_log as l on l.prediction_id = p.id
    where t.trial = %(trial)s and t.role = 'shadow' and t.error is null
"""
_ASSIGNED = """
    select l.row_key, l.at,
        case when l.release_digest <> %(release)s then l.answer end as champion,
        case when l.release_digest = %(release)s then l.answer end as challenger,
        t.role = 'challenger' as chosen
    from monitoring.trial_log as t
    join monitoring.inference_log as l on l.prediction_id = t.prediction_ids[t.key_at]
    where t.trial = %(trial)s and t.role <> 'shadow' and t.key_at is not null
"""
# Of an answer what losses are made of: there may be a million, and the rest is most of each.
_LABELLED = """
    with answered as ({answered}), once as (
        select distinct on (row_key) row_key, chosen,
            case when champion is not null then jsonb_strip_nulls(jsonb_build_object(
                'prediction', champion -> 'prediction',
                'probabilities', champion -> 'probabilities')) end as champion,
            case when challenger is not null then jsonb_strip_nulls(jsonb_build_object(
                'prediction', challenger -> 'prediction',
                'probabilities', challenger -> 'probabilities')) end as challenger
        from answered where row_key is not null order by row_key, at
    ), labels as (
        select row_key, min(id) as came,
            (array_agg(label order by {counts_first})
                filter (where withdrawn_at is null))[1] as label
        from leeway.labels
        where use_case = %(use_case)s and problem is null
            and row_key in (select row_key from once)
        group by row_key having min(read_at) > %(began_at)s
    )
    select champion, challenger, label, chosen from once join labels using (row_key)
    where label is not null order by came
"""


def write(settings: Settings, rows: bytes) -> None:
    """Adds rows of one chunk, from `leeway.served.tried.as_copied`; else as `inference_log.write`.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
        psycopg2.Error: when it refuses now; write them again.
        resources.inference_log.Unwritable: when it never will.
    """
    copy_once(settings, _COPY, rows)


def evidence_of(settings: Settings, trial: Tried, use_case: UseCase) -> Evidence:
    """What is known of a trial now.

    Raises:
        resources.postgres.PostgresUnavailable: when the server cannot be reached.
    """
    with transaction(settings) as cursor:
        if not has_table(cursor, "monitoring.trial_log"):  # no service has tried anything here yet
            answered, failed, rows = 0, 0, []
        else:
            answered, failed = _counted(cursor, trial)
            rows = _labelled(cursor, trial)
    found = [Labelled(*row[:3]) for row in rows]
    chosen = [row[3] for row in rows]
    shadow = trial.policy.mode == "shadow"
    classes = use_case.task == "classification"
    fewer = min(sum(chosen), len(chosen) - sum(chosen))
    return Evidence(
        trial.began_at,
        answered,
        failed,
        of_shadow(found) if shadow else of_canary(found, chosen, trial.policy.share),
        unit_of(use_case.target.unit, classes=classes),
        None if shadow else fewer,
    )


def _counted(cursor: psycopg2.extensions.cursor, trial: Tried) -> tuple[int, int]:
    """The requests that the challenger answered, and those that it failed on."""
    cursor.execute(
        "select count(*) filter (where error is null), count(*) filter (where error is not null) "
        "from monitoring.trial_log where trial = %s and role <> 'champion'",
        (trial.id,),
    )
    ((answered, failed),) = cursor.fetchall()
    return answered, failed


def _labelled(cursor: psycopg2.extensions.cursor, trial: Tried) -> list[tuple[Any, ...]]:
    """Answers of both, the label, and whether the challenger was to answer; as labels came."""
    answered = _PAIRS if trial.policy.mode == "shadow" else _ASSIGNED
    known = {
        "trial": trial.id,
        "release": trial.release,
        "use_case": trial.use_case,
        "began_at": trial.began_at,
    }
    cursor.execute(_LABELLED.format(answered=answered, counts_first=COUNTS_FIRST), known)
    return cursor.fetchall()
