"""How much a service takes on: a rate, turns, and bytes, without any HTTP."""

from __future__ import annotations

import asyncio
import time

import pytest

from serving.limits import MOST_KNOWN, ROUND_SECONDS, SMALL, Held, Rate, Turns
from serving.problems import Refusal


def taken(rate: Rate, client: str, now: float, times: int) -> int:
    """How many of so many tokens there were."""
    found = 0
    for _ in range(times):
        try:
            rate.take(client, now)
        except Refusal:
            continue
        found += 1
    return found


def test_a_bucket_holds_a_second_and_fills_again() -> None:
    rate = Rate(10)
    assert taken(rate, "a", 100.0, 25) == 10
    assert taken(rate, "b", 100.0, 25) == 10, "each client has its own"
    assert taken(rate, "a", 100.35, 25) == 3
    assert taken(rate, "a", 200.0, 25) == 10, "and never holds more"


def test_over_a_long_time_the_rate_is_the_rate() -> None:
    rate = Rate(7)
    got = sum(taken(rate, "a", 0.01 * step, 1) for step in range(10_000))
    assert 700 <= got <= 708


def test_who_is_refused_is_told_how_long_to_wait() -> None:
    rate = Rate(1)
    rate.take("a", 0.0)
    with pytest.raises(Refusal) as found:
        rate.take("a", 0.2)
    assert (found.value.status, found.value.kind) == (429, "rate")
    assert found.value.headers == {"Retry-After": "1"}
    rate.take("a", 1.0)


def test_the_clients_that_are_known_are_bounded() -> None:
    rate = Rate(1)
    for number in range(MOST_KNOWN + 100):
        rate.take(str(number), 0.0)
    rate.take("0", 0.0)  # forgotten, and taken for new
    with pytest.raises(Refusal):
        rate.take(str(MOST_KNOWN), 0.0)


def test_those_beyond_the_turns_are_refused_before_the_first_one_works() -> None:
    order: list[str] = []

    async def request(turns: Turns) -> None:
        try:
            async with turns:
                order.append("worked")
        except Refusal as refusal:
            order.append(refusal.kind)

    async def burst(turns: Turns) -> None:
        await asyncio.gather(*(request(turns) for _ in range(8)))

    turns = Turns(most=5)
    asyncio.run(burst(turns))
    assert order == ["busy"] * 3 + ["worked"] * 5
    order.clear()
    asyncio.run(burst(turns))
    assert order == ["busy"] * 3 + ["worked"] * 5, "turns come back"


def test_a_request_that_is_given_up_gives_its_turn_back() -> None:
    async def given_up(turns: Turns) -> None:
        async def enter() -> None:
            async with turns:
                pass

        task = asyncio.ensure_future(enter())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with turns:
            pass

    asyncio.run(given_up(Turns(most=1)))


def test_large_bodies_are_bounded_together_and_small_ones_never_refused() -> None:
    held = Held(most=100)
    held.add(0, SMALL)
    held.add(SMALL, 60)
    held.add(0, SMALL + 40)
    with pytest.raises(Refusal, match="429"):
        held.add(SMALL + 60, 1)
    held.add(0, SMALL)
    held.drop(SMALL + 60)
    held.add(0, SMALL + 60)


def test_models_run_for_a_while_in_each_round_of_the_loop_and_let_others_in_between() -> None:
    """Who has just connected would else wait for all that have turns, some rounds long."""

    async def whole() -> list[int]:
        turns, done, between = Turns(most=64), [0], []

        async def request() -> None:
            async with turns:
                time.sleep(2 * ROUND_SECONDS)  # as a model does
                done[0] += 1

        requests = [asyncio.create_task(request()) for _ in range(20)]
        while done[0] < len(requests):
            before = done[0]
            await asyncio.sleep(0)
            between.append(done[0] - before)
        await asyncio.gather(*requests)
        return between

    assert max(asyncio.run(whole())) == 1
