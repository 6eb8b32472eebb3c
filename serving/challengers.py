"""Challengers of the champions that are served: which there are, and that they are proven.

Belongs here: looking at the ledger for trials, loading challengers of canaries, and ending the
trial of one that cannot be proven. Does not belong here: what they answer (`serving.trials`), or
champions (`serving.keeper`), which a challenger never holds up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from resources.store import CorruptObject
from resources.trials import Tried
from serving import metrics
from serving.champions import Copies
from serving.loading import Loaded, Pointer, Refused, load

EVERY_SECONDS = 1.0
AGAIN_SECONDS = 10.0  # after an object was not there
log = logging.getLogger("leeway.serving")


@dataclass(frozen=True)
class Challenger:
    """A trial that runs; `loaded` is of a canary, whose challenger answers in this process."""

    trial: Tried
    pointer: Pointer
    loaded: Loaded | None = None

    @property
    def release(self) -> tuple[str, str]:
        """As metrics name it."""
        return self.pointer.use_case, str(self.pointer.version)


class Challengers:
    """The challengers of an installation; requests read `state` and never wait."""

    def __init__(
        self,
        copies: Copies,
        running: Callable[[], dict[str, Tried]],
        fail: Callable[[str, int, str], object],
    ) -> None:
        """Looks by `running`, and ends a trial of a use case by `fail`, with the reason."""
        self.state: Mapping[str, Challenger] = {}
        self._copies, self._running, self._fail = copies, running, fail
        self._again_at: dict[str, float] = {}  # by the digest of the release
        self._problem: str | None = None

    def of(self, champion: Loaded) -> Challenger | None:
        """Who challenges this champion; a trial beside another has ended, or will in a moment."""
        found = self.state.get(champion.pointer.use_case)
        if found is None or found.trial.champion != champion.pointer.version:
            return None
        return found

    async def keep(self) -> None:
        """Looks again and again."""
        while True:
            try:
                await self.refresh()
            except Exception as error:
                told = f"{type(error).__name__}: {error}".strip()
                if told != self._problem:
                    log.warning("trials stay as they are, the ledger was not read: %s", told)
                self._problem = told
            await asyncio.sleep(EVERY_SECONDS)

    async def refresh(self) -> None:
        """One round: which trials run, and loading the challengers of canaries."""
        trials = await run_in_threadpool(self._running)
        self._problem = None
        found: dict[str, Challenger] = {}
        for name, trial in trials.items():
            pointer = Pointer(name, trial.version, trial.release, trial.uri)
            before = self.state.get(name)
            if before is not None and before.trial.id == trial.id and before.pointer == pointer:
                found[name] = before
            elif trial.policy.mode == "shadow":
                found[name] = Challenger(trial, pointer)
            elif (loaded := await self._loaded(trial, pointer)) is not None:
                found[name] = Challenger(trial, pointer, loaded)
        gone = {each.release for each in self.state.values()}
        self.state = found
        for release in gone - {each.release for each in found.values()}:
            metrics.ON_TRIAL.labels(*release).set(0)
        for each in found.values():
            metrics.ON_TRIAL.labels(*each.release).set(1)

    async def unproven(self, trial: Tried, why: str) -> None:
        """Ends the trial of a challenger that cannot be served; the champion serves on."""
        log.error("the challenger of %s is not tried: %s", trial.use_case, why)
        await run_in_threadpool(self._fail, trial.use_case, trial.id, why)

    async def _loaded(self, trial: Tried, pointer: Pointer) -> Loaded | None:
        if time.monotonic() < self._again_at.get(pointer.digest, 0):
            return None
        try:
            return await run_in_threadpool(load, pointer, self._copies)
        except OSError as error:
            self._again_at[pointer.digest] = time.monotonic() + AGAIN_SECONDS
            log.warning("the challenger of %s is not loaded yet: %s", trial.use_case, error)
        except (Refused, CorruptObject) as error:
            await self.unproven(trial, str(error))
        except Exception as error:  # whatever a file that is no model makes of it
            await self.unproven(trial, f"{type(error).__name__}: {error}")
        return None
