"""The other policy: the blocks `drift` and `retraining` of a use case's YAML.

Belongs here: reading what a file says over what holds today. Does not belong here: the blocks
themselves (`leeway.spec.policies`), or opening the file.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import ValidationError

from leeway.backtest.errors import CannotBacktest
from leeway.controller.facts import Cause
from leeway.spec import Drift, Retraining, UseCase
from leeway.spec.base import Strict
from leeway.spec.problems import problem_lines
from leeway.spec.rules import check_use_case


class Policy(Strict):
    """When a batch has drifted, and when a model is trained again."""

    drift: Drift = Drift()
    retraining: Retraining = Retraining()


def policy_of(content: object, use_case: UseCase, place: object) -> Policy:
    """The policy of a file; a block or a field that it leaves out is today's.

    Args:
        content: of the file, as YAML gives it.
        use_case: as it is today.
        place: of the file, for messages.

    Raises:
        CannotBacktest: when a key is unknown or a value not allowed, with each field, or when it
            does not fit the columns.
    """
    if not isinstance(content, dict) or not content:
        raise CannotBacktest(
            f"{place}: needs the keys drift, retraining or both, as in a defs.yaml"
        )
    today = Policy(drift=use_case.drift, retraining=use_case.retraining).model_dump()
    merged: dict[Any, Any] = dict(content)
    for block, fields in today.items():
        given = content.get(block, {})
        merged[block] = fields | given if isinstance(given, dict) else given
    try:
        policy = Policy.model_validate(merged)
    except ValidationError as error:
        lines = problem_lines(place, error, "the file")
        raise CannotBacktest("\n".join(map(_as_list, lines))) from error
    try:
        check_use_case(under(use_case, policy))
    except ValueError as error:
        raise CannotBacktest(f"{place}: {error}") from error
    return policy


def under(use_case: UseCase, policy: Policy) -> UseCase:
    """The use case with another policy in the place of its own."""
    return use_case.model_copy(update={"drift": policy.drift, "retraining": policy.retraining})


def _as_list(line: str) -> str:
    """A line that asks for Python's tuple asks for a list of YAML: the causes are the only one."""
    causes = ", ".join(get_args(Cause))
    told = f"Input should be a list of any of {causes}, such as [drift]"
    return line.replace("Input should be a valid tuple", told)
