"""While a release is loaded, or cannot be, the one before goes on; and when it is tried again.

Belongs here: what keeps champions loaded, over a real ledger and a store that can be held. Does not
belong here: what is wrong with a file (test_service_corrupted.py), or HTTP.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import pytest

from resources.settings import Settings
from resources.store import LocalStore
from serving.champions import Copies, champions
from serving.keeper import Failure, Keeper
from serving.loading import Loaded
from tests.faults.harness import figure, until
from tests.faults.released import BODIES, Made, make, make_champion
from tests.project_copy import NAME

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


class Store(LocalStore):
    """One that notes when it was asked for an object, and gives none while it is held."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.store_root)
        self.asked: list[tuple[float, str]] = []
        self.open = threading.Event()
        self.open.set()

    def get(self, uri: str, digest: str) -> bytes:
        self.asked.append((time.monotonic(), uri))
        assert self.open.wait(60)
        return super().get(uri, digest)

    def times(self, made: Made) -> list[float]:
        """When it was asked for a release."""
        return [at for at, uri in self.asked if uri == made.uri]

    @contextmanager
    def held(self) -> Iterator[None]:
        """As a mount that hangs."""
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()


@pytest.fixture(scope="module")
def made(shared: Settings) -> dict[int, Made]:
    return {version: make(shared, version) for version in (1, 2)}


@pytest.fixture
def store(shared: Settings) -> Store:
    return Store(shared)


@pytest.fixture
def keeper(shared: Settings, store: Store, made: dict[int, Made]) -> Keeper:
    """One that serves the first version, and has no copies of the second."""
    make_champion(shared, 1)
    copies = Copies(shared.home / "serving", store)
    found = Keeper(copies, partial(champions, shared))
    found.refresh()
    assert served(found).pointer.version == 1
    for each in (shared.home / "serving" / "objects").iterdir():
        each.unlink()
    return found


def served(keeper: Keeper) -> Loaded:
    return keeper.state.served[NAME]


def answer(loaded: Loaded) -> int:
    """The version that answers a request."""
    return loaded.predict(loaded.contract.rows(BODIES[0])).model_version


def test_the_old_one_answers_until_the_new_one_is_whole_and_then_both_can(
    shared: Settings, store: Store, keeper: Keeper, made: dict[int, Made]
) -> None:
    old, answers = served(keeper), 0
    keeper.start()
    try:
        with store.held():
            make_champion(shared, 2)
            assert until(lambda: bool(store.times(made[2])), 10) is not None
            ends = time.monotonic() + 1
            while time.monotonic() < ends:
                assert answer(served(keeper)) == 1, "the new one is being loaded"
                answers += 1
            assert len(store.times(made[2])) == 1, "while one is loaded nobody begins again"
        assert until(lambda: answer(served(keeper)) == 2, 10) is not None
        assert answer(old) == 1, "who had begun with the old one ends with it"
    finally:
        keeper.end()
    figure(f"a store that hangs while a release is loaded: {answers:,} answers of the one before")


def test_a_release_that_fails_is_tried_again_after_twice_as_long_each_time(
    shared: Settings, store: Store, keeper: Keeper, made: dict[int, Made]
) -> None:
    path = shared.store_root / made[2].uri.rpartition("/store/")[2]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    make_champion(shared, 2)
    ends = time.monotonic() + 4.5
    while time.monotonic() < ends:
        keeper.refresh()
        assert served(keeper).pointer.version == 1
        assert keeper.state.waiting[NAME]
        time.sleep(0.02)
    waits = [later - earlier for earlier, later in pairwise(store.times(made[2]))]
    assert len(waits) == 2, "the next one is 4 s after the third"
    assert waits[0] >= 1
    assert waits[1] >= 2
    path.write_bytes(whole)
    keeper.refresh()
    assert served(keeper).pointer.version == 1, "it is not asked before its time"
    keeper.look_now()
    assert served(keeper).pointer.version == 2, "but for who says so"


def test_the_wait_doubles_up_to_a_minute() -> None:
    failure, waits = None, []
    for _ in range(9):
        failure = Failure.after(failure, "it is broken", 100.0)
        waits.append(failure.again_at - 100)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
