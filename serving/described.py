"""What the documentation says of a route, beside the route: the types that judge and are answered.

Belongs here: attaching that to the function of a route. Does not belong here: the document that is
made of it (`serving.documentation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from serving.loading import Loaded

Route = TypeVar("Route", bound=Callable[..., Any])
TypeOf = Callable[[Loaded], Any]  # the type of one release
JSON = "application/json"


@dataclass(frozen=True)
class Described:
    """What goes in and out of a route of a use case, by media type.

    A type of None is a file that is not made of JSON.
    """

    told: str
    answers: Mapping[str, TypeOf | None]
    takes: Mapping[str, TypeOf | None] = field(default_factory=dict)


def described(about: Described) -> Callable[[Route], Route]:
    """Says of the function of a route what it takes and answers."""

    def attach(route: Route) -> Route:
        route.described = about  # type: ignore[attr-defined]  # read by `description_of`
        return route

    return attach


def description_of(route: object) -> Described | None:
    """What was said of the function of a route."""
    return getattr(route, "described", None)
