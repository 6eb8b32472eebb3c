"""Which source an installation reads for a use case: its own, or what stands in for it.

Belongs here: deciding that once, recording it, and saying so. Does not belong here: any kind of
source (`resources.sources`). No network failure may bring made-up rows into a use case that has
real ones: the decision is a row that is written once, and every batch is held against it when it
commits (docs/adr/0011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from leeway.spec import StandIn, UseCase
from resources.files import SourceError, Unavailable
from resources.postgres import transaction
from resources.settings import Settings
from resources.sources import BatchSource, Synthetic, open_source
from resources.web import Patience, Web

if TYPE_CHECKING:
    import psycopg2.extensions

ReadFrom = Literal["source", "stand_in.source", "stand_in.synthetic"]
_ATTEMPTS = 2  # of the network, the first time: a person waits
_ANEW = "begin with another LEEWAY_HOME, and another LEEWAY_DATABASE_URL where it is set"


@dataclass(frozen=True)
class Reading:
    """A source and how it was chosen; `note` is what a person should know of a stand-in."""

    source: BatchSource
    read_from: ReadFrom
    description: str
    note: str = ""


def reading_of(name: str, use_case: UseCase, settings: Settings) -> Reading:
    """What is read here. If that was not decided yet, the source is asked for its first batch.

    Args:
        name: of the use case.
        use_case: its source, and what may stand in for it.
        settings: of the installation.

    Raises:
        SourceError: when nothing can be had, or the YAML no longer names what was decided on.
    """
    found = _recorded(name, settings)
    if found is None and use_case.stand_in and settings.environment != "production":
        first = _first_decision(use_case, use_case.stand_in)
        found = first and _record(name, first, settings)
    own = open_source(use_case)
    if found is None or found[0] == "source":
        return Reading(own, "source", own.description)
    read_from, reason = found
    if settings.environment == "production":
        raise SourceError(
            f"{name}: this installation read {read_from} in place of {own.description}, and "
            f"production never does; {_ANEW}"
        )
    source = _stand_in(use_case, read_from)
    if source is None:
        raise SourceError(
            f"{name}: this installation reads {read_from} in place of {own.description}, and "
            f"defs.yaml has it no longer. Put it back, or {_ANEW}: rows of one are never mixed "
            "with rows of the other"
        )
    description = f"{source.description}, in place of {own.description}"
    note = (
        f"{description}, which could not be had: {reason}. This installation goes on with them; "
        f"for the rows of the source itself, {_ANEW}"
    )
    return Reading(source, read_from, description, note)


def hold_against(
    cursor: psycopg2.extensions.cursor, name: str, batch: str, reading: Reading
) -> None:
    """Within the transaction of a batch: it comes from where all batches of the use case do.

    Raises:
        SourceError: when another process decided otherwise meanwhile.
    """
    _insert(cursor, name, reading.read_from, f"it gave batch {batch}")
    read_from = _select(cursor, name)[0][0]
    if read_from != reading.read_from:
        raise SourceError(
            f"{name}, batch {batch}: it came from {reading.read_from}, and this installation reads "
            f"{read_from}; nothing was stored. Run the command again"
        )


def forget_decision(name: str, settings: Settings) -> None:
    """Decides anew at the next reading; for an installation that has stored no batch yet."""
    with transaction(settings) as cursor:
        cursor.execute("delete from leeway.sources where use_case = %s", (name,))


def _first_decision(use_case: UseCase, stand_in: StandIn) -> tuple[ReadFrom, str] | None:
    """What gives a batch now, and why it is not the source; None when that has none yet."""
    try:
        given = _given(use_case)
        return None if given is None else ("source", f"it gave batch {given}")
    except Unavailable as error:
        why = str(error)
    if stand_in.source is not None:
        try:
            if _given(use_case.model_copy(update={"source": stand_in.source})) is not None:
                return "stand_in.source", why
        except Unavailable as error:
            why = f"{why}; nor could what stands in for it: {error}"
    if stand_in.synthetic is not None:
        return "stand_in.synthetic", why
    raise Unavailable(why)


def _given(use_case: UseCase) -> str | None:
    """The first batch that the source has, read to see that it can be; None when there is none."""
    source = open_source(use_case, Web(Patience(attempts=_ATTEMPTS)))
    for batch in source.batches()[:1]:
        source.read(batch)
        return batch
    return None


def _stand_in(use_case: UseCase, read_from: ReadFrom) -> BatchSource | None:
    """The source that was decided on; None when the YAML does not have it."""
    stand_in = use_case.stand_in or StandIn.model_construct()
    if read_from == "stand_in.source" and stand_in.source is not None:
        return open_source(use_case.model_copy(update={"source": stand_in.source}))
    if read_from == "stand_in.synthetic" and stand_in.synthetic is not None:
        return Synthetic(use_case, stand_in.synthetic)
    return None


def _recorded(name: str, settings: Settings) -> tuple[ReadFrom, str] | None:
    with transaction(settings) as cursor:
        found = _select(cursor, name)
    return found[0] if found else None


def _record(name: str, decision: tuple[ReadFrom, str], settings: Settings) -> tuple[ReadFrom, str]:
    """Records it, unless another process was first; what is recorded then."""
    with transaction(settings) as cursor:
        _insert(cursor, name, *decision)
        return _select(cursor, name)[0]


def _insert(
    cursor: psycopg2.extensions.cursor, name: str, read_from: ReadFrom, reason: str
) -> None:
    cursor.execute(
        "insert into leeway.sources (use_case, read_from, reason) values (%s, %s, %s) "
        "on conflict do nothing",
        (name, read_from, reason),
    )


def _select(cursor: psycopg2.extensions.cursor, name: str) -> list[tuple[ReadFrom, str]]:
    """The decision; a batch that came before there were stand-ins came from the source itself."""
    cursor.execute(
        "select read_from, reason from (select 1 as place, read_from, reason from leeway.sources "
        "where use_case = %s union all select 2, 'source', 'it gave batch ' || batch "
        "from leeway.commits where use_case = %s and node = 'raw') decided order by place limit 1",
        (name, name),
    )
    return list(cursor.fetchall())
