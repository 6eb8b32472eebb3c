"""How a table is cut by calendar periods or ranges of a key: which there are, and their condition.

Belongs here: batch ids and conditions. Does not belong here: reading the rows (`sql_rows`).
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from resources.files import SourceError

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection

Ranges = dict[str, "ColumnElement[bool] | None"]  # by batch, oldest first; None: every row
_MOST_BATCHES = 10_000
_PARTS = {"year": ("year",), "month": ("year", "month"), "day": ("year", "month", "day")}


def periods(connection: Connection, column: Column[Any], period: str, place: str) -> Ranges:
    """The days, months or years that have rows and are over, in UTC.

    Raises:
        SourceError: when the column holds no times, or none in a row, or makes too many batches.
    """
    from sqlalchemy import Date, DateTime, extract, select

    if not isinstance(column.type, Date | DateTime):
        raise SourceError(
            f"{place}: batch_by_time.column {column.name!r} is {column.type}, and "
            "no date or timestamp"
        )
    _check_filled(connection, column, place)
    parts = [extract(part, column) for part in _PARTS[period]]
    rows = connection.execute(select(*parts).distinct().limit(_MOST_BATCHES + 1)).all()
    _check_number(len(rows), place, "batch_by_time.period")
    found: Ranges = {}
    for numbers in sorted(tuple(int(each) for each in row) for row in rows):
        first, after = _bounds(numbers)
        if after > datetime.now(UTC).date():
            continue  # it is not over: more rows will come
        low, high = _moment(first, column), _moment(after, column)
        name = "-".join(f"{n:04d}" if i == 0 else f"{n:02d}" for i, n in enumerate(numbers))
        found[name] = (column >= low) & (column < high)
    return found


def blocks(connection: Connection, column: Column[Any], size: int, place: str) -> Ranges:
    """The ranges of `size` numbers that have rows and are full, from 0.

    Raises:
        SourceError: when the column holds no numbers from 0, or none in a row, or makes too many
            batches.
    """
    from sqlalchemy import Integer, func, select

    if not isinstance(column.type, Integer):
        raise SourceError(
            f"{place}: batch_by_key.column {column.name!r} is {column.type}, and no integer"
        )
    _check_filled(connection, column, place)
    least, most = connection.execute(select(func.min(column), func.max(column))).one()
    if least is not None and least < 0:
        raise SourceError(
            f"{place}: batch_by_key.column {column.name!r} holds {least}; ranges begin at 0"
        )
    there = select((column // size).distinct()).limit(_MOST_BATCHES + 1)
    numbers = sorted(int(number) for number in connection.execute(there).scalars())
    _check_number(len(numbers), place, "batch_by_key.size")
    return {
        f"{n * size:012d}": (column >= n * size) & (column < (n + 1) * size)
        for n in numbers
        if most >= (n + 1) * size - 1  # it is full: keys go on after it
    }


def _check_filled(connection: Connection, column: Column[Any], place: str) -> None:
    """Refuses rows that would be in no batch: nobody would miss them."""
    from sqlalchemy import func, select

    missing = connection.execute(
        select(func.count()).select_from(column.table).where(column.is_(None))
    ).scalar_one()
    if missing:
        raise SourceError(
            f"{place}: {missing} rows have no value of {column.name!r} and are in "
            "no batch; mend them, or cut the table by another column"
        )


def _check_number(number: int, place: str, field: str) -> None:
    if number > _MOST_BATCHES:
        raise SourceError(
            f"{place}: source.{field} makes more than {_MOST_BATCHES} batches; choose a longer one"
        )


def _bounds(numbers: tuple[int, ...]) -> tuple[date, date]:
    """First day of a year, month or day, and the first day after it."""
    year, month, day = (*numbers, 1, 1)[:3]
    if len(numbers) == 1:
        return date(year, 1, 1), date(year + 1, 1, 1)
    if len(numbers) == 2:
        return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, day), date.fromordinal(date(year, month, day).toordinal() + 1)


def _moment(day: date, column: Column[Any]) -> date | datetime:
    """The beginning of a day in UTC, as the column has it."""
    from sqlalchemy import DateTime

    if not isinstance(column.type, DateTime):
        return day
    zone = UTC if column.type.timezone else None
    return datetime(day.year, day.month, day.day, tzinfo=zone)
