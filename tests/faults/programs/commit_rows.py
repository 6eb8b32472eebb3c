"""Commits versions of one batch of one node: an object, rows of a table and the ledger's record.

Arguments: how, first version, number of versions (0: no end). How is `fenced`, or wrong on purpose:
`unfenced` is the same code without its fence, `apart` writes the rows on a connection of their own,
`pointer_first` stores the object after the commit that names it, and `naive` deletes and inserts
without a transaction.
"""

from __future__ import annotations

import hashlib
import sys
from functools import partial

import psycopg2
import pyarrow as pa

from resources import ledger as module
from resources.ledger import Ledger
from resources.postgres import dsn, transaction
from resources.settings import get_settings
from resources.store import LocalStore, StoredObject
from resources.warehouse import ensure_table, replace_batch
from tests.faults.rows import BATCH, NODE, USE_CASE, encoded, rows_of

how, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
settings = get_settings()
ledger, store = Ledger(settings), LocalStore(settings.store_root)
TYPES = {"number": "bigint", "value": "text", "batch_id": "text"}
if how == "unfenced":
    module._fence = lambda cursor, attempt: None  # the mutation: the same protocol, no fence


def load(cursor: psycopg2.extensions.cursor, version: int) -> None:
    ensure_table(cursor, USE_CASE, NODE, TYPES)
    numbers, values = zip(*rows_of(version), strict=True)
    table = pa.table({"number": numbers, "value": values, "batch_id": [BATCH] * len(numbers)})
    replace_batch(cursor, USE_CASE, NODE, BATCH, table)


def load_apart(version: int) -> None:
    with transaction(settings) as cursor:
        load(cursor, version)


def promised(data: bytes) -> StoredObject:
    """What the store will say of these bytes."""
    digest = hashlib.sha256(data).hexdigest()
    path = store.root / "raw" / USE_CASE / f"{digest}.json"
    return StoredObject(f"sha256:{digest}", path.as_uri(), len(data))


def commit(version: int) -> None:
    attempt = ledger.begin(USE_CASE, NODE, BATCH, f"run of version {version}")
    data = encoded(rows_of(version))
    put = partial(store.put, "raw", USE_CASE, "json", data)
    stored = promised(data) if how == "pointer_first" else put()
    try:
        ledger.commit(
            attempt,
            input_digest=f"sha256:input of {version}",
            digest=stored.digest,
            uri=stored.uri,
            rows=len(rows_of(version)),
            facts={"version": version},
            also=lambda cursor: load_apart(version) if how == "apart" else load(cursor, version),
        )
        put()
    except module.StaleAttempt:
        print(f"stale {version}", flush=True)  # noqa: T201
    else:
        print(f"committed {version}", flush=True)  # noqa: T201


def overwrite(version: int) -> None:
    connection = psycopg2.connect(dsn("leeway", settings))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"delete from {USE_CASE}.{NODE}")  # noqa: S608
        for number, value in rows_of(version):
            cursor.execute(
                f"insert into {USE_CASE}.{NODE} (number, value, batch_id) values (%s, %s, %s)",  # noqa: S608
                (number, value, BATCH),
            )
    connection.close()


print("ready", flush=True)  # noqa: T201
done = 0
while count == 0 or done < count:
    version = first + done
    (overwrite if how == "naive" else commit)(version)
    done += 1
