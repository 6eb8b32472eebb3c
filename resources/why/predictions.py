"""Finding one prediction: where it is recorded, and the row that it is of.

Belongs here: the ways to find one. Does not belong here: what is said of it
(`leeway.why.predicted`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leeway.identifiers import PREDICTION_ID, check_batch, check_identifier
from leeway.why.facts import Commit, Gone
from leeway.why.predicted import Prediction
from leeway.why.rows import OLDER
from leeway.why.statement import Citation, row, run, stored
from resources.inference_log import Entry
from resources.inference_log import find as find_answer
from resources.postgres import has_table
from resources.settings import Settings
from resources.store import CorruptObject
from resources.why.commits import current, lineage_of
from resources.why.reading import NotRecorded, Objects
from resources.why.runs import runs_of
from resources.why.windows import window_at

if TYPE_CHECKING:
    import psycopg2.extensions


def of_batch(
    cursor: psycopg2.extensions.cursor, settings: Settings, objects: Objects, name: str
) -> Prediction:
    """A prediction of a row of a batch, called NAME/BATCH/KEY, as readers see it now.

    Raises:
        NotRecorded: when the batch was not predicted, or has no row of the key.
    """
    use_case, _, rest = name.partition("/")
    batch, _, key = rest.partition("/")
    try:
        made = current(cursor, check_identifier(use_case), "predictions", check_batch(batch))
    except ValueError as error:
        raise NotRecorded(f"{name}: {error}") from error
    if made is None:
        raise NotRecorded(
            f"{use_case} has no predictions of batch {batch!r}; `leeway run {use_case} --batch "
            f"{batch}` makes them where there is a champion"
        )
    answer = _row_of(objects, made, 0, key)  # predictions begin with the key
    if answer is None:
        raise NotRecorded(
            f"batch {batch} of {use_case} has no prediction of a row with the key {key!r}: it has "
            f"{made.rows} others; one that was rejected is in the table {use_case}.rejects"
        )
    column = next(iter(answer))
    lineage = lineage_of(cursor, use_case, [batch], made)
    clean, raw = lineage.clean.get(batch), lineage.raw.get(batch)
    cited: list[Citation] = [row("leeway.commits", id=made.id), stored(made.digest, made.uri)]
    return Prediction(
        name,
        use_case,
        made.facts["version"],
        _release(cursor, made, use_case),
        answer,
        made.at,
        (*cited, run(made.run_id)),
        batch,
        _clean_row(objects, made, clean, column, key),
        _raw_row(cursor, use_case, batch, column, key, raw),
        lineage,
        runs_of(settings, [clean.run_id] if clean else []),
    )


def of_service(cursor: psycopg2.extensions.cursor, name: str) -> Prediction:
    """A prediction that the service gave, called by its id, as its log has it.

    Raises:
        NotRecorded: when the log does not have it.
    """
    found = find_answer(cursor, name)
    if found is None:
        raise NotRecorded(
            f"no prediction {name} is recorded: the service logs an answer within a second, or "
            "when its database is back; metrics/summary tells how many wait, or were dropped"
        )
    told = {k: v for k, v in found.answer.items() if k not in ("prediction_id", "warnings")}
    warned = [each["message"] for each in found.answer["warnings"]]
    cited = (row("monitoring.inference_log", prediction_id=found.prediction_id),)
    return Prediction(
        name,
        found.use_case,
        found.version,
        found.release,
        {**told, "warnings": warned},
        found.at,
        cited,
        asked=found.inputs,
        trial=_trial(cursor, found),
        window=window_at(cursor, found.use_case, found.at),
    )


def _trial(cursor: psycopg2.extensions.cursor, answer: Entry) -> int | None:
    """The trial in which a challenger gave an answer; None where the champion gave it."""
    if not has_table(cursor, "leeway.trials"):
        return None
    cursor.execute(
        "select id from leeway.trials where (use_case, release_digest) = (%s, %s) "
        "and policy ->> 'mode' = 'canary' and %s between began_at and coalesce(ended_at, now())",
        (answer.use_case, answer.release, answer.at),
    )
    found = cursor.fetchone()
    return None if found is None else int(found[0])


def find(
    cursor: psycopg2.extensions.cursor, settings: Settings, objects: Objects, name: str
) -> Prediction:
    """The prediction of an id, in whichever way it is found.

    Raises:
        NotRecorded: when it is found in none, with what can be found.
    """
    if name.count("/") >= 2:
        return of_batch(cursor, settings, objects, name)
    if PREDICTION_ID.fullmatch(name):
        return of_service(cursor, name)
    raise NotRecorded(
        f"no prediction {name} is recorded. Those of batches are called NAME/BATCH/KEY, such as "
        "penguins/2009/271; those of the service by the id in its answer"
    )


def _release(cursor: psycopg2.extensions.cursor, made: Commit, use_case: str) -> str:
    """Digest of the release that predicted a batch."""
    cursor.execute(
        "select release_digest from monitoring.scoring_runs "
        "where (use_case, batch, run_id) = (%s, %s, %s)",
        (use_case, made.batch, made.run_id),
    )
    found = cursor.fetchone()
    return str(found[0]) if found else "unknown"


def _row_of(
    objects: Objects, made: Commit, column: int | str, key: str
) -> Mapping[str, Any] | None:
    """The row of a table that has the key in a column; None where there is none.

    Raises:
        NotRecorded: when the object is not there any more, or was changed.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from leeway.data.tables import from_parquet

    try:
        table = from_parquet(objects.get(made.uri, made.digest))
    except (OSError, CorruptObject, ValueError) as error:
        raise NotRecorded(
            f"the {made.node} of batch {made.batch} cannot be read: {error}"
        ) from error
    found = table.filter(pc.equal(pc.cast(table.column(column), pa.string()), key))
    rows: list[dict[str, Any]] = found.slice(0, 1).to_pylist()
    return rows[0] if rows else None


def _clean_row(
    objects: Objects, made: Commit, clean: Commit | None, column: str, key: str
) -> Mapping[str, Any] | Gone:
    if made.inputs is None:
        return Gone(OLDER)
    if clean is None:
        return Gone("the commit that was read is not recorded any more")
    try:
        return _row_of(objects, clean, column, key) or Gone("the clean rows have no such key")
    except NotRecorded as error:
        return Gone(str(error))


def _raw_row(
    cursor: psycopg2.extensions.cursor,
    use_case: str,
    batch: str,
    column: str,
    key: str,
    raw: Commit | None,
) -> int | Gone:
    """The number that the row had in the source, if the table still holds what was read."""
    from psycopg2 import sql

    shown = current(cursor, use_case, "raw", batch)
    if raw is None or shown is None or shown.digest != raw.digest:
        return Gone("the batch was read again since, or it is not recorded what was read")
    cursor.execute(
        sql.SQL("select row_number from {} where batch_id = %s and {}::text = %s").format(
            sql.Identifier(use_case, "raw"), sql.Identifier(column)
        ),
        (batch, key),
    )
    found = cursor.fetchall()
    return int(found[0][0]) if found else Gone(f"the table {use_case}.raw has no such key")
