"""Names that may reach SQL, a path or an asset key, and the check that they are safe there.

Belongs here: the grammar of identifiers and batch ids. Does not belong here: quoting, which the
database driver does.
"""

import re

IDENTIFIER_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
PREDICTION_ID = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)  # of the service
BATCH_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"

# Words that PostgreSQL reserves, columns that every table of it has, and names that we use.
# fmt: off
RESERVED = frozenset({
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric",
    "authorization", "binary", "both", "case", "cast", "check", "collate", "collation",
    "column", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end",
    "except", "false", "fetch", "for", "foreign", "freeze", "from", "full", "grant", "group",
    "having", "ilike", "in", "initially", "inner", "intersect", "into", "is", "isnull",
    "join", "lateral", "leading", "left", "like", "limit", "localtime", "localtimestamp",
    "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer",
    "overlaps", "placing", "primary", "references", "returning", "right", "select",
    "session_user", "similar", "some", "symmetric", "system_user", "table", "tablesample",
    "then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic",
    "verbose", "when", "where", "window", "with", "ctid", "tableoid", "cmax", "cmin", "xmax",
    "xmin", "leeway", "monitoring", "public", "information_schema",
})
# fmt: on


def check_identifier(name: str) -> str:
    """Returns `name` when it can stand in SQL, in a path and in an asset key as it is.

    Raises:
        ValueError: when it cannot, with what is allowed.
    """
    if not re.match(IDENTIFIER_PATTERN, name) or name.endswith("\n"):
        raise ValueError(
            f"{name!r} is not a name: use lower-case letters, digits and underscores, "
            "starting with a letter, at most 48 characters"
        )
    if name in RESERVED or name.startswith("pg_"):
        raise ValueError(f"{name!r} is a reserved word of SQL or of Leeway: choose another name")
    return name


def check_batch(batch: str) -> str:
    """Returns `batch` when it can name a partition and a folder.

    Raises:
        ValueError: when it cannot, with what is allowed.
    """
    if not re.match(BATCH_PATTERN, batch) or batch.endswith("\n"):
        raise ValueError(
            f"{batch!r} is not a batch id: use letters, digits, _ and -, at most 63 characters"
        )
    return batch
