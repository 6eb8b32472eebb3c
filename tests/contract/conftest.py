"""What the contract tests share: one installation a module, and processes that start together."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from resources.settings import Settings
from tests.conftest import installation


@pytest.fixture(scope="module")
def shared(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation for the tests of a module, which take a use case each."""
    with installation(server_home, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture
def use_case(request: pytest.FixtureRequest) -> str:
    """A name that no other test of the module uses."""
    return str(request.node.name)


PROCESSES = 4
_meeting: list[Barrier] = []  # of a process of the pool, set when it starts


@pytest.fixture(scope="session")
def together() -> Iterator[Callable[..., list[Any]]]:
    """Calls a function in four processes at the same moment, with a tuple of arguments each.

    The processes are new ones (spawn) that share nothing with this one, and none begins a call
    before all are there.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, _join, (barrier,)) as pool:

        def call(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
            assert len(arguments) == PROCESSES
            return pool.starmap(_call, [(function, each) for each in arguments], chunksize=1)

        yield call


def _join(barrier: Barrier) -> None:
    _meeting.append(barrier)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    _meeting[0].wait(timeout=60)
    return function(*arguments)
