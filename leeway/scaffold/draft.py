"""A use case from a table: what every column is, and a sentence for everything that was assumed.

Belongs here: the order in which the parts of this package are asked. Does not belong here: any rule
about columns (the other modules), or the text of files (`leeway.scaffold.defs_yaml`).

Types, codes, ranges, keys and classes are from all rows; leaks are looked for in a sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from leeway.scaffold.choices import (
    MADE_KEY,
    check_key,
    check_time,
    counted_time,
    find,
    infer_key,
    is_id,
    times_of,
)
from leeway.scaffold.columns import Described, describe, made_key
from leeway.scaffold.content import Content, spellings
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.leak_check import LeakCheck
from leeway.scaffold.names import free_name, identifiers, phrase
from leeway.scaffold.rejects import check_rejects
from leeway.scaffold.roles import Placed, placed
from leeway.scaffold.summaries import left_out, summaries
from leeway.scaffold.survey import Survey, survey
from leeway.scaffold.target import Target, target_of
from leeway.spec import Column, UseCase


@dataclass(frozen=True)
class Draft:
    """An inferred use case, and what was assumed, one sentence each."""

    use_case: UseCase
    assumptions: tuple[str, ...]


def infer(
    table: pa.Table,
    *,
    path: str,
    target: str,
    key: str | None = None,
    time: str | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> Draft:
    """The use case of a table.

    Args:
        table: as its source gives it: texts from CSV, typed columns from Parquet.
        path: of the file, for the use case's source.
        target: the column to predict, as the file calls it or as `leeway.scaffold.names` does.
        key: the column that identifies a row; None: found, or made of the position of a row.
        time: the column that says when; None: the only one of dates, if there is one.
        progress: is told the name of each column before it is looked at.

    Raises:
        CannotInfer: when no use case can be made of it.
    """
    names = identifiers(table.column_names)
    aimed = names[find("--target", target, names)]
    chosen_key = names[find("--key", key, names)] if key is not None else None
    chosen_time = names[find("--time", time, names)] if time is not None else None
    _check_distinct(aimed, chosen_key, chosen_time)
    whole = survey(table, names, progress)
    goal = _target(whole, aimed)
    others = {name: each for name, each in whole.contents.items() if name != aimed}
    key_name, notes = _key(others, chosen_key, whole)
    rest = {name: each for name, each in others.items() if name != key_name}
    if chosen_time is not None:
        check_time(chosen_time, whole.contents[chosen_time])
    times = [chosen_time] if chosen_time is not None else times_of(rest)
    time_name = times[0] if len(times) == 1 else None
    described = _columns(whole, goal, aimed, key_name, time_name)
    notes += [*goal.assumptions, *_unlabelled(whole, aimed), *_repeated(rest)]
    notes += _time_note(times, whole) if chosen_time is None else []
    notes += summaries(described, whole.rows)
    check_rejects(whole, aimed, key_name, goal, described)
    return Draft(_use_case(path, goal, aimed, described), tuple(notes))


def _check_distinct(target: str, key: str | None, time: str | None) -> None:
    if key == target or time == target or (key is not None and key == time):
        raise CannotInfer("--target, --key and --time must name different columns")


def _target(whole: Survey, name: str) -> Target:
    content = whole.contents[name]
    classes = spellings(whole.columns[name], content.missing) if content.levels else ()
    return target_of(name, content, classes)


def _key(
    others: dict[str, Content], chosen: str | None, whole: Survey
) -> tuple[str | None, list[str]]:
    """The name of the key, None when one is made, and what to say of it."""
    if chosen is not None:
        said = check_key(chosen, whole.contents[chosen])
        return chosen, [said] if said else []
    found = infer_key(others)
    if found is not None:
        return found, [f"{found} is the key: its name says so, and no two rows share a value"]
    return None, [
        f"no column identifies a row, so {free_name(MADE_KEY, set(whole.contents))} is made of the "
        "file's name and the row's position: keep the order of the rows, and add new ones at the "
        "end or as a further file; or name a column by --key"
    ]


def _unlabelled(whole: Survey, aimed: str) -> list[str]:
    without = whole.rows - whole.contents[aimed].given
    said = f"rows without {aimed} ({without}) are predicted, and not trained on"
    return [said] if without else []


def _repeated(rest: dict[str, Content]) -> list[str]:
    """What several rows of one customer or machine mean for the held-out rows."""
    return [
        f"{name} is the same in several rows, {each.given / each.distinct:.3g} on average: rows of "
        "one may be both in the part that trains and in the one held out, so that the model may "
        "look better than it is for a new one"
        for name, each in rest.items()
        if is_id(name) and 1 < each.distinct <= each.given / 2
    ]


def _time_note(times: list[str], whole: Survey) -> list[str]:
    if not times:
        return []
    if len(times) > 1:
        return [
            f"{', '.join(times)} are several times, and none is taken for that of a row; "
            "name one by --time"
        ]
    (name,) = times
    counts = counted_time(name, whole.contents[name])
    why = "it is the only date" if counts is None else f"it counts {counts}"
    return [
        f"{name} is the time of a row: {why}; rows are held out at random, and "
        "split: {by: time} holds out the newest"
    ]


def _columns(
    whole: Survey, goal: Target, aimed: str, key: str | None, time: str | None
) -> list[Described]:
    """Every column, the made key first."""
    check = LeakCheck.on(whole.columns[aimed], whole.contents[aimed], goal)
    found = [] if key is not None else [made_key(free_name(MADE_KEY, set(whole.contents)))]
    for name, content in whole.contents.items():
        header = whole.headers[name]
        if name == key:
            place = Placed("integer" if content.type == "integer" else "text", "key")
            found.append(describe(name, header, content, place))
        elif name == aimed:
            place = Placed(goal.type, "target")
            found.append(describe(name, header, content, place, values=goal.values))
        else:
            place = placed(name, content, is_time=name == time)
            place, warning = check.judge(name, whole.columns[name], content, place)
            found.append(describe(name, header, content, place, warning=warning))
    return found


def _use_case(path: str, goal: Target, aimed: str, described: list[Described]) -> UseCase:
    columns: list[Column] = [each.column for each in described]
    features = sum(column.role == "feature" for column in columns)
    if not features:
        raise CannotInfer(f"no column is left to learn from: {'; '.join(left_out(described))}")
    search: dict[str, Any] = {} if goal.folds == 5 else {"search": {"folds": goal.folds}}
    title, file = phrase(aimed), path.rsplit("/", 1)[-1]
    return UseCase.model_validate(
        {
            "title": f"{title[:1].upper()}{title[1:]}",
            "description": f"Predicts {aimed} from {features} columns of {file}.",
            "task": goal.task,
            "source": {"kind": "file", "path": path},
            "columns": columns,
            "gates": [goal.gate],
            **search,
        }
    )
