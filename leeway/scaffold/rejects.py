"""Whether the rows that will be rejected are few enough for a use case.

Belongs here: counting them before there is a use case. Does not belong here: rejecting
(`leeway.data.validation`).
"""

from __future__ import annotations

from collections.abc import Iterable

from leeway.scaffold.columns import Described
from leeway.scaffold.errors import CannotInfer
from leeway.scaffold.survey import Survey
from leeway.scaffold.target import Target
from leeway.spec import UseCase

_NAMED = 5


def check_rejects(
    whole: Survey, aimed: str, key: str | None, goal: Target, described: Iterable[Described]
) -> None:
    """Checks an upper bound of the rejected rows: a row may be counted once per column.

    Raises:
        CannotInfer: when it is more than a use case allows, with the columns.
    """
    limit = UseCase.model_fields["max_rejected"].default
    stored = {each.column.name for each in described if each.column.role != "ignored"}
    bad = {name: each.misread for name, each in whole.contents.items() if name in stored}
    bad[aimed] += goal.left_out
    if key is not None:
        bad[key] += whole.rows - whole.contents[key].distinct
    if sum(bad.values()) <= limit * whole.rows:
        return
    worst = sorted(((count, name) for name, count in bad.items() if count), reverse=True)
    shown = ", ".join(f"{name} ({count} rows)" for count, name in worst[:_NAMED])
    raise CannotInfer(
        f"up to {sum(bad.values())} of {whole.rows} rows hold a value that cannot be used, in "
        f"{shown}; that is more than {limit:.0%}: mend the file"
    )
