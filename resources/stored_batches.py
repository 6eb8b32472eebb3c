"""What an installation has stored of a use case, read without changing anything of it.

Belongs here: the batches as their source gave them, and the champion's algorithm. Does not belong
here: reading a source (`resources.sources`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.postgres import dsn
from resources.settings import Settings
from resources.store import LocalStore

if TYPE_CHECKING:
    import pyarrow as pa

_BATCHES = (
    "select batch, uri, digest from leeway.batches join leeway.current using (use_case, batch) "
    "join leeway.commits using (use_case, node, batch) where commits.id = current.commit_id "
    "and use_case = %s and node = 'raw' order by ordinal"
)
_CHAMPION = (
    "select algorithm from leeway.moves join leeway.releases using (use_case, version) "
    "where use_case = %s order by moves.id desc limit 1"
)


@dataclass(frozen=True)
class Stored:
    """The batches of a use case, oldest first, and the champion's algorithm where there is one."""

    batches: dict[str, pa.Table]
    algorithm: str | None


def stored_batches(name: str, settings: Settings, most: int) -> Stored:
    """The newest batches that were stored; none where the use case, or Leeway, never ran.

    An embedded server that sleeps is started, as by any verb; one that was never made is not.

    Raises:
        CorruptObject, FileNotFoundError: when an object is not what was stored.
    """
    from leeway.data.tables import from_parquet

    found, algorithm = _recorded(name, settings)
    store = LocalStore(settings.store_root)
    batches = {batch: from_parquet(store.get(uri, digest)) for batch, uri, digest in found[-most:]}
    return Stored(batches, algorithm)


def _recorded(name: str, settings: Settings) -> tuple[list[tuple[str, str, str]], str | None]:
    import psycopg2
    from psycopg2 import errors

    made = settings.home / "postgres" / "global" / "pg_control"
    if settings.database_url is None and not made.exists():
        return [], None
    try:
        connection = psycopg2.connect(dsn("leeway", settings, read_only=True))
    except psycopg2.OperationalError as error:
        if "does not exist" in str(error):  # the database, of which libpq gives no code
            return [], None
        raise
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_BATCHES, (name,))
            batches = cursor.fetchall()
            cursor.execute(_CHAMPION, (name,))
            champion = cursor.fetchone()
    except (errors.UndefinedTable, errors.InvalidSchemaName):
        return [], None
    finally:
        connection.close()
    return batches, None if champion is None else champion[0]
