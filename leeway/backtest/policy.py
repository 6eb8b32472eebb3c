"""The other policy: the blocks `drift` and `retraining` of a use case's YAML.

Belongs here: reading what a file says over what holds today. Does not belong here: the blocks
themselves (`leeway.spec.policies`), or opening the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeway.spec import Drift, Retraining, UseCase
from leeway.spec.base import Strict


class Policy(Strict):
    """When a batch has drifted, and when a model is trained again."""

    drift: Drift = Drift()
    retraining: Retraining = Retraining()


def policy_of(content: Mapping[str, Any], use_case: UseCase) -> Policy:
    """The policy of a file; a block or a field that it leaves out is today's.

    Raises:
        pydantic.ValidationError: when a key is unknown or a value not allowed, with its field.
    """
    today = Policy(drift=use_case.drift, retraining=use_case.retraining).model_dump()
    merged: dict[str, Any] = dict(content)
    for block, fields in today.items():
        given = content.get(block, {})
        merged[block] = fields | given if isinstance(given, dict) else given
    return Policy.model_validate(merged)


def under(use_case: UseCase, policy: Policy) -> UseCase:
    """The use case with another policy in the place of its own."""
    return use_case.model_copy(update={"drift": policy.drift, "retraining": policy.retraining})
