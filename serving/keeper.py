"""Keeps the champions loaded: looks where they are, loads what is new, and swaps it in whole.

Belongs here: one round of looking and loading, and the thread that does it again and again. Does
not belong here: where champions are known (`serving.champions`), or requests, which read `state`
and never wait.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from resources.store import CorruptObject
from serving import metrics
from serving.breaker import Breaker
from serving.champions import Copies
from serving.loading import Loaded, Pointer, Refused, load, without_path

EVERY_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 60.0
REMEMBER_SECONDS = 10.0  # after the disk refused it
KEPT = 3  # releases of a use case that stay loaded, so that a rollback is a swap
log = logging.getLogger("leeway.serving")


@dataclass(frozen=True)
class Failure:
    """A release that could not be loaded, and when to try again."""

    told: str
    tries: int
    again_at: float

    @classmethod
    def after(cls, before: Failure | None, told: str, now: float) -> Failure:
        """Each failure doubles the wait, up to `LONGEST_WAIT_SECONDS`."""
        tries = 1 if before is None else before.tries + 1
        return cls(told, tries, now + min(2.0 ** (tries - 1), LONGEST_WAIT_SECONDS))


@dataclass(frozen=True)
class State:
    """What is served at a moment; requests see one or the next, never half of each.

    `waiting` are champions that are not served, each with the reason. `known_from` says who told
    which releases are champions: the ledger, or the copies of this machine; None: nobody yet.
    """

    served: Mapping[str, Loaded] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    known_from: Literal["ledger", "last"] | None = None
    ledger_problem: str | None = None


class Keeper:
    """The champions of an installation, loaded."""

    def __init__(self, copies: Copies, champions: Callable[[], dict[str, Pointer]]) -> None:
        self.state = State()
        self._copies, self._champions = copies, champions
        self._breaker = Breaker()
        self._recent: dict[str, list[Loaded]] = {}
        self._failed: dict[str, Failure] = {}  # by the digest of the release
        self._remembered: dict[str, Pointer] = {}
        self._remember_at = 0.0  # after it failed
        self._round = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Looks and loads in a thread, from now on."""
        self._thread.start()

    def end(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join()

    def look_now(self) -> None:
        """A round at once, also of what was left alone because it failed."""
        with self._round:
            self._breaker.succeeded()
            self._failed.clear()
        self.refresh()

    def refresh(self) -> None:
        """One round: which champions there are, and loading those that are new."""
        with self._round:
            self._refresh()

    def _refresh(self) -> None:
        pointers, known_from, problem = self._pointers()
        served: dict[str, Loaded] = {}
        waiting: dict[str, str] = {}
        for name, pointer in pointers.items():
            loaded = self._loaded(pointer)
            if loaded is None:
                waiting[name] = self._failed[pointer.digest].told
                loaded = self.state.served.get(name)  # the last good one goes on
            if loaded is not None:
                served[name] = loaded
        before, self.state = self.state, State(served, waiting, known_from, problem)
        metrics.state_changed(before, self.state, breaker_open=self._breaker.opened_at is not None)
        self._remember({name: each.pointer for name, each in served.items()})

    def _remember(self, pointers: dict[str, Pointer]) -> None:
        """Keeps what is served for a start without any server; what fails is tried again."""
        now = time.monotonic()
        if pointers == self._remembered or now < self._remember_at:
            return
        try:
            self._copies.remember(pointers)
            held = [each for recent in self._recent.values() for each in recent]
            self._copies.sweep(set().union(*(each.digests for each in held)), time.time())
        except OSError as error:
            self._remember_at = now + REMEMBER_SECONDS
            log.error("a restart without the ledger would serve what was served before: %s", error)
        else:
            self._remembered, self._remember_at = pointers, 0.0

    def _pointers(
        self,
    ) -> tuple[Mapping[str, Pointer], Literal["ledger", "last"] | None, str | None]:
        """What the ledger says; where it does not answer, what is served goes on."""
        problem = "it failed often, and is asked again within a minute"
        now = time.monotonic()
        if self._breaker.allows(now):
            try:
                found = self._champions()
            except Exception as error:
                self._breaker.failed(now)
                problem = f"{type(error).__name__}: {error}".strip()
                metrics.LEDGER_FAILURES.inc()
                if problem != self.state.ledger_problem:
                    log.warning("the ledger does not answer: %s", problem)
            else:
                self._breaker.succeeded()
                return found, "ledger", None
        if self.state.served:
            pointers = {name: each.pointer for name, each in self.state.served.items()}
            return pointers, self.state.known_from, problem
        return self._copies.last(), "last", problem

    def _loaded(self, pointer: Pointer) -> Loaded | None:
        recent = self._recent.setdefault(pointer.use_case, [])
        found = next((each for each in recent if each.pointer == pointer), None)
        if found is None:
            now, failure = time.monotonic(), self._failed.get(pointer.digest)
            if failure is not None and now < failure.again_at:
                return None
            try:
                found = load(pointer, self._copies)
            except Exception as error:
                expected = isinstance(error, Refused | OSError | CorruptObject)
                log.error("%s", error, exc_info=None if expected else error)
                told = without_path(error) if isinstance(error, OSError) else str(error)
                told = told or type(error).__name__
                metrics.LOAD_FAILURES.labels(pointer.use_case).inc()
                self._failed[pointer.digest] = Failure.after(failure, told, now)
                return None
            self._failed.pop(pointer.digest, None)
            log.info("version %s of %s is served", pointer.version, pointer.use_case)
        self._recent[pointer.use_case] = [found, *(e for e in recent if e is not found)][:KEPT]
        return found

    def _keep(self) -> None:
        while not self._ended.is_set():
            try:
                self.refresh()
            except Exception:
                metrics.ROUND_FAILURES.inc()
                log.exception("a round of looking for champions failed")
            self._ended.wait(EVERY_SECONDS)
