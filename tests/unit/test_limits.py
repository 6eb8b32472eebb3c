"""How much a service takes on: a rate, turns, and bytes, without any HTTP."""

from __future__ import annotations

import asyncio
import time

import pytest

from serving.limits import MOST_AT_ONCE, MOST_KNOWN, ROUND_SECONDS, SMALL, Held, Rate, Turns
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


def burst(turns: Turns, requests: int, seconds: float) -> list[str]:
    """What becomes of requests that come at once, in order; a model takes so many seconds."""
    order: list[str] = []

    async def request() -> None:
        try:
            async with turns:
                time.sleep(seconds)
                order.append("worked")
        except Refusal as refusal:
            order.append(refusal.kind)

    async def all_at_once() -> None:
        await asyncio.gather(*(request() for _ in range(requests)))

    asyncio.run(all_at_once())
    return order


def test_those_beyond_the_turns_are_refused_before_the_first_one_works() -> None:
    turns = Turns(least=3)
    assert burst(turns, 5, 0.1) == ["busy"] * 2 + ["worked"] * 3
    assert burst(turns, 5, 0.1) == ["busy"] * 2 + ["worked"] * 3, "turns come back"


def test_as_many_wait_as_are_answered_in_a_quarter_of_a_second() -> None:
    turns = Turns(least=3)
    burst(turns, 1, 0.01)
    found = burst(turns, 40, 0.0)
    assert 5 <= found.count("worked") <= 25, "0.25 s / 0.01 s, or longer on a busy machine"
    for _ in range(60):
        burst(turns, 1, 0.0)
    assert burst(turns, MOST_AT_ONCE + 7, 0.0).count("busy") >= 7, "but not without end"


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

    asyncio.run(given_up(Turns(least=1)))


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
        turns, done, between = Turns(least=64), [0], []

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


def test_what_else_there_is_to_do_does_not_keep_the_models_from_working() -> None:
    """Thousands of refusals a second once left them 2 ms of each round of the loop."""

    async def whole() -> list[int]:
        turns, done, between = Turns(least=200), [0], []

        async def request() -> None:
            async with turns:
                time.sleep(0.001)
                done[0] += 1

        requests = [asyncio.create_task(request()) for _ in range(150)]
        while done[0] < len(requests):
            before = done[0]
            time.sleep(0.01)  # as refusing does
            await asyncio.sleep(0)
            between.append(done[0] - before)
        await asyncio.gather(*requests)
        return between

    assert max(asyncio.run(whole())) >= 15, "about 40: four times as long as the rest"
