"""The trial of a challenger on live requests: which of both answers, and what is kept of it.

Belongs here: the share of a canary, falling back to the champion, and handing requests to the
shadow. Does not belong here: which trials run (`serving.challengers`), the shadow's process
(`serving.shadows`), or the verdict, which is not the service's. Why a challenger failed is in the
log of trials alone: it may quote a value.

A request is answered by one release whole. Where it has several rows, the first that has a key
decides, and that row alone is evidence: the others go where it goes, whatever their keys.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from leeway.served.contract import Classes, Estimates
from leeway.served.tried import Request, Role
from leeway.trial.share import is_challenged
from serving import metrics
from serving.challengers import Challenger, Challengers
from serving.inference_log import TrialLog
from serving.loading import Loaded
from serving.shadow_work import answered, why_not
from serving.shadows import Asked, Shadows


@dataclass(frozen=True)
class Turn:
    """A request of a trial; `rows` and `answers` are the challenger's, where it answered."""

    challenger: Challenger
    at: float
    body: bytes
    role: Role
    key_at: int | None
    seconds: float | None = None
    rows: Sequence[Any] = ()
    answers: Classes | Estimates | None = None
    error: str | None = None


class Trials:
    """What is tried on the requests of this process."""

    def __init__(self, challengers: Challengers, trial_log: TrialLog) -> None:
        self.challengers, self._log = challengers, trial_log
        self._shadows = Shadows(challengers, trial_log)

    def turn(
        self,
        champion: Loaded,
        at: float,
        body: bytes,
        keys: Sequence[str | None] | None,
        identity: str,
    ) -> Turn | None:
        """Whose turn a request is; None where nothing is tried.

        Args:
            champion: that is served.
            at: when the request was taken, in seconds since 1970.
            body: that the champion takes.
            keys: of its rows.
            identity: of the request, which decides where it has no key.
        """
        challenger = self.challengers.of(champion)
        if challenger is None:
            return None
        found = next((n for n, key in enumerate(keys or ()) if key is not None), None)
        key_at = None if found is None else found + 1
        if challenger.loaded is None:
            return Turn(challenger, at, body, "shadow", key_at)
        key = identity if found is None or keys is None else str(keys[found])
        trial = challenger.trial
        if not is_challenged(str(trial.id), key, trial.policy.share):
            return Turn(challenger, at, body, "champion", key_at)
        return _challenged(challenger, challenger.loaded, at, body, key_at)

    def answered(self, turn: Turn, answers: Classes | Estimates) -> None:
        """Keeps who was to answer a request of a canary, where that may be evidence."""
        labels = turn.key_at is not None and turn.challenger.trial.policy.labelled_rows
        if turn.role == "shadow" or (turn.role == "champion" and not labels):
            return
        ids = [each.prediction_id for each in answers.predictions]
        self._log.offer(
            Request(
                turn.challenger.trial.id,
                turn.at,
                turn.role,
                turn.seconds,
                ids,
                turn.key_at,
                error=turn.error,
            )
        )

    def sent(self, turn: Turn, answers: Classes | Estimates) -> None:
        """Has a request answered in the shadow, once its answer has gone out."""
        if turn.role == "shadow":
            ids = [each.prediction_id for each in answers.predictions]
            self._shadows.offer(Asked(turn.challenger, turn.at, turn.body, ids, turn.key_at))

    @asynccontextmanager
    async def alive(self, _: object) -> AsyncIterator[None]:
        """For as long as the service lives."""
        self._log.start()
        async with self._shadows.pool.alive(None):
            tasks = [
                asyncio.create_task(self.challengers.keep()),
                asyncio.create_task(self._shadows.keep()),
            ]
            yield
            for each in tasks:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each
        await asyncio.to_thread(self._log.end)


def _challenged(
    challenger: Challenger, loaded: Loaded, at: float, body: bytes, key_at: int | None
) -> Turn:
    """The challenger answers; where it cannot, the champion does, and the request does not fail."""
    started = time.perf_counter()
    rows: Sequence[Any] = ()
    answers, error = None, None
    try:
        rows, answers = answered(loaded, body)
    except Exception as caught:  # of any kind: it is the challenger's failure
        error = why_not(caught)
    seconds = time.perf_counter() - started
    outcome = "answered" if error is None else "failed"
    metrics.TRIED.labels(*challenger.release, "canary", outcome).inc()
    if error is None:
        metrics.TRIED_SECONDS.labels(*challenger.release, "canary").observe(seconds)
    return Turn(challenger, at, body, "challenger", key_at, seconds, rows, answers, error)
