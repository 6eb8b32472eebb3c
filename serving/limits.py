"""How much is taken on: requests a second, requests at once, and bytes of bodies.

Belongs here: counting what there is, and refusing more. Does not belong here: the time that a
client may take (`serving.connections`), or who it is (`serving.guard`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from types import TracebackType

from serving.problems import Refusal

AT_ONCE = 128
MOST_AT_ONCE = 1_024
WAIT_SECONDS = 0.25
ROUND_SECONDS = 0.002
LONGEST_ROUND_SECONDS = 0.02
ROUND_SHARE = 4  # times what the loop took for all else since the last round
MOST_KNOWN = 10_000
LARGEST_BODY = 1_000_000  # bytes
MOST_HELD = 64_000_000  # bytes of all bodies that are not small
SMALL = 65_536  # bytes; of these there are at most as many as connections


class Rate:
    """A token bucket per client that holds the requests of a second.

    As the generic cell rate algorithm has it (ITU-T I.371): one number per client, the moment at
    which its bucket is full again. Clients beyond `MOST_KNOWN` push out those not seen for longest.
    """

    def __init__(self, per_second: int) -> None:
        self._seconds = 1 / per_second
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, client: str, now: float) -> None:
        """Takes a token.

        Raises:
            Refusal: when there is none, with the whole seconds to wait.
        """
        full_at = max(self._full_at.get(client, now), now)
        wait = full_at + self._seconds - now - 1
        if wait > 0:
            raise _later(429, f"more than {1 / self._seconds:.0f} requests a second", "rate", wait)
        self._full_at[client] = full_at + self._seconds
        self._full_at.move_to_end(client)
        if len(self._full_at) > MOST_KNOWN:
            self._full_at.popitem(last=False)


class Turns:
    """At most so many requests whose bodies are there and whose answers are not, first come first.

    They are as many as the model answers in `WAIT_SECONDS`, but `least` at least. Models answer on
    the event loop, one after the other: each request lets all others that have arrived take their
    turns first, so that those beyond the limit are refused before the first model runs. What
    arrives is read between two rounds of turns: else it would wait for all of them, a round for
    each step from its connection to its turn, and so would its refusal, and /health. A round takes
    `ROUND_SHARE` times what was done since the last one, so that of too many requests those that
    are refused do not keep the others from their turns.
    """

    def __init__(self, least: int = AT_ONCE) -> None:
        self._least, self._taken = least, 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._round_is_due = False
        self._began = self._last_round = self._spent = 0.0
        self._usual: float | None = None  # seconds of a turn, of late

    def check(self) -> None:
        """Looks whether there is one, before a body is read for which there is none.

        Raises:
            Refusal: when there is not.
        """
        if self._taken >= self._most():
            raise _later(429, f"{self._taken} requests are waiting already", "busy", 1)

    async def __aenter__(self) -> None:
        """Takes a turn.

        Raises:
            Refusal: when there is none.
        """
        self.check()
        self._taken += 1
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._have_round()
        try:
            await turn
        except BaseException:
            self._taken -= 1
            raise
        self._began = time.perf_counter()

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._taken -= 1
        seconds = time.perf_counter() - self._began
        self._spent += seconds
        self._usual = seconds if self._usual is None else 0.9 * self._usual + 0.1 * seconds

    def _most(self) -> int:
        if not self._usual:
            return self._least
        return max(self._least, min(int(WAIT_SECONDS / self._usual), MOST_AT_ONCE))

    def _have_round(self) -> None:
        if not self._round_is_due:
            self._round_is_due = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        """Gives the turns of a round, which are taken before the next one."""
        self._round_is_due = False
        now = time.perf_counter()
        others = now - self._last_round - self._spent
        self._last_round, self._spent = now, 0.0
        seconds = min(max(ROUND_SHARE * others, ROUND_SECONDS), LONGEST_ROUND_SECONDS)
        left = max(1, int(seconds / self._usual)) if self._usual else 1
        while left and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # nobody has given it up
                turn.set_result(None)
                left -= 1
        if self._waiting:
            self._have_round()


class Held:
    """The bytes of the bodies that are being read; small ones are not counted."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most, self._bytes = most, 0

    def add(self, size: int, more: int) -> None:
        """A body of `size` bytes grows by `more`.

        Raises:
            Refusal: when all together would be too many.
        """
        grown = max(0, size + more - SMALL) - max(0, size - SMALL)
        if self._bytes + grown > self._most:
            raise _later(429, "too many large bodies are being sent", "bodies", 1)
        self._bytes += grown

    def drop(self, size: int) -> None:
        """A body of `size` bytes was read, or given up."""
        self._bytes -= max(0, size - SMALL)


def _later(status: int, why: str, kind: str, seconds: float) -> Refusal:
    wait = max(1, math.ceil(seconds))
    return Refusal(status, f"{why}; try again in {wait} s", kind, {"Retry-After": str(wait)})
