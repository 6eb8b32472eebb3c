"""The ledger shows a node's result whole, once, and only from the newest attempt."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import psycopg2.extensions
import pytest
from sqlalchemy.engine import make_url

from resources import ledger as module
from resources.decisions import Decisions
from resources.ledger import Attempt, Commit, Ledger, StaleAttempt
from resources.postgres import DATABASES, dsn, transaction
from resources.releases import Releases
from resources.settings import Settings
from tests.faults.harness import until, waiting

Together = Callable[..., list[Any]]


@pytest.fixture
def ledger(shared: Settings) -> Ledger:
    return Ledger(shared)


def commit(ledger: Ledger, attempt: Attempt, inputs: str = "in", **changes: Any) -> Commit:
    arguments: dict[str, Any] = {
        "input_digest": inputs,
        "digest": "sha256:1",
        "uri": "file:///1",
        "rows": 3,
        "facts": {"batches": ["1", "2"], "note": "é"},
        **changes,
    }
    return ledger.commit(attempt, **arguments)


def count(ledger: Ledger, table: str, use_case: str) -> int:
    with transaction(ledger.settings) as cursor:
        cursor.execute(f"select count(*) from leeway.{table} where use_case = %s", (use_case,))  # noqa: S608
        ((found,),) = cursor.fetchall()
    return int(found)


def leave_a_trace(cursor: psycopg2.extensions.cursor) -> None:
    cursor.execute("create table if not exists public.trace (token bigint)")
    cursor.execute("insert into public.trace values (1)")


def traces(ledger: Ledger) -> int:
    with transaction(ledger.settings) as cursor:
        cursor.execute("select to_regclass('public.trace')")
        ((there,),) = cursor.fetchall()
        if there is None:
            return 0
        cursor.execute("select count(*) from public.trace")
        ((found,),) = cursor.fetchall()
    return int(found)


def test_nothing_is_current_before_the_first_commit(ledger: Ledger, use_case: str) -> None:
    ledger.begin(use_case, "clean", "1", "run")
    assert ledger.current(use_case, "clean", "1") is None
    assert ledger.every_current(use_case) == {}
    with pytest.raises(LookupError, match=f"batch 1 of clean was never .* `leeway run {use_case}`"):
        ledger.require(use_case, "clean", "1")
    with pytest.raises(LookupError, match=f"{use_case}: release was never materialized"):
        ledger.require(use_case, "release")


def test_a_commit_is_what_readers_see(ledger: Ledger, use_case: str) -> None:
    attempt = ledger.begin(use_case, "clean", "1", "run-1")
    committed = commit(ledger, attempt)
    assert ledger.current(use_case, "clean", "1") == committed
    assert ledger.require(use_case, "clean", "1") == committed
    assert ledger.every_current(use_case) == {("clean", "1"): committed}
    assert committed.facts == {"batches": ["1", "2"], "note": "é"}
    assert (committed.rows, committed.run_id) == (3, "run-1")
    assert abs(committed.committed_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_batches_nodes_and_use_cases_do_not_see_each_other(ledger: Ledger, use_case: str) -> None:
    for at, (node, batch) in enumerate([("clean", "1"), ("clean", "2"), ("raw", "1"), ("raw", "")]):
        commit(ledger, ledger.begin(use_case, node, batch, "run"), rows=at)
    commit(ledger, ledger.begin(f"{use_case}_2", "clean", "1", "run"), rows=9)
    found = {key: each.rows for key, each in ledger.every_current(use_case).items()}
    assert found == {("clean", "1"): 0, ("clean", "2"): 1, ("raw", "1"): 2, ("raw", ""): 3}


def test_the_newest_commit_is_current_and_the_older_ones_are_kept(
    ledger: Ledger, use_case: str
) -> None:
    commit(ledger, ledger.begin(use_case, "clean", "1", "run-1"), "old", digest="sha256:1")
    commit(ledger, ledger.begin(use_case, "clean", "1", "run-2"), "new", digest="sha256:2")
    assert ledger.require(use_case, "clean", "1").digest == "sha256:2"
    assert count(ledger, "commits", use_case) == 2


def test_the_same_inputs_twice_are_one_commit_of_the_later_attempt(
    ledger: Ledger, use_case: str
) -> None:
    commit(ledger, ledger.begin(use_case, "clean", "1", "run-1"), digest="sha256:1")
    commit(ledger, ledger.begin(use_case, "clean", "1", "run-2"), digest="sha256:2")
    assert count(ledger, "commits", use_case) == 1
    current = ledger.require(use_case, "clean", "1")
    assert (current.digest, current.run_id) == ("sha256:2", "run-2")


def test_going_back_to_earlier_inputs_shows_them_again(ledger: Ledger, use_case: str) -> None:
    for inputs in ("old", "new", "old"):
        commit(ledger, ledger.begin(use_case, "clean", "1", "run"), inputs, digest=inputs)
    assert ledger.require(use_case, "clean", "1").input_digest == "old"
    assert count(ledger, "commits", use_case) == 2


def test_a_stale_attempt_is_refused_and_what_it_did_is_rolled_back(
    ledger: Ledger, use_case: str
) -> None:
    stale = ledger.begin(use_case, "clean", "1", "run-1")
    newest = ledger.begin(use_case, "clean", "1", "run-2")
    before = traces(ledger)
    with pytest.raises(StaleAttempt, match=f"attempt: {stale.token} of .* by {newest.token}"):
        commit(ledger, stale, also=leave_a_trace)
    assert traces(ledger) == before
    assert ledger.current(use_case, "clean", "1") is None
    commit(ledger, newest, also=leave_a_trace)
    assert traces(ledger) == before + 1


def test_a_stale_attempt_does_not_replace_what_the_newer_one_committed(
    ledger: Ledger, use_case: str
) -> None:
    stale = ledger.begin(use_case, "clean", "1", "run-1")
    commit(ledger, ledger.begin(use_case, "clean", "1", "run-2"), digest="sha256:2")
    with pytest.raises(StaleAttempt):
        commit(ledger, stale, digest="sha256:1")
    assert ledger.require(use_case, "clean", "1").digest == "sha256:2"


def test_an_attempt_at_another_batch_does_not_make_one_stale(ledger: Ledger, use_case: str) -> None:
    attempt = ledger.begin(use_case, "clean", "1", "run")
    ledger.begin(use_case, "clean", "2", "run")
    ledger.begin(use_case, "raw", "1", "run")
    assert commit(ledger, attempt).batch == "1"


def test_an_attempt_that_never_began_is_refused(ledger: Ledger, use_case: str) -> None:
    with pytest.raises(StaleAttempt):
        commit(ledger, Attempt(use_case, "clean", "1", 1, "run"))


def fail(cursor: psycopg2.extensions.cursor) -> None:
    leave_a_trace(cursor)
    raise RuntimeError("the disk is full")


def test_a_commit_whose_companion_fails_shows_nothing_and_can_be_repeated(
    ledger: Ledger, use_case: str
) -> None:
    attempt = ledger.begin(use_case, "clean", "1", "run")
    before = traces(ledger)
    with pytest.raises(RuntimeError, match="the disk is full"):
        commit(ledger, attempt, also=fail)
    assert traces(ledger) == before
    assert ledger.current(use_case, "clean", "1") is None
    assert commit(ledger, attempt) == ledger.current(use_case, "clean", "1")


def test_facts_that_json_has_no_form_for_commit_nothing(ledger: Ledger, use_case: str) -> None:
    attempt = ledger.begin(use_case, "clean", "1", "run")
    with pytest.raises(ValueError, match="JSON"):
        commit(ledger, attempt, facts={"value": math.nan})
    assert ledger.current(use_case, "clean", "1") is None


@pytest.mark.parametrize("text", ["'; drop table leeway.commits; --", "%s", "\\", '"', "é\n"])
def test_any_text_is_a_value_and_never_sql(ledger: Ledger, use_case: str, text: str) -> None:
    name = f"{use_case}{text}"
    commit(ledger, ledger.begin(name, text, text, text), text, facts={text: text})
    found = ledger.require(name, text, text)
    assert (found.node, found.batch, found.run_id, found.facts) == (text, text, text, {text: text})


def test_batches_keep_the_order_in_which_they_were_found(ledger: Ledger, use_case: str) -> None:
    ledger.register_batches(use_case, ["b", "a"])
    ledger.register_batches(use_case, ["0", "a", "b", "c"])
    ledger.register_batches(f"{use_case}_2", ["z"])
    ledger.register_batches(use_case, [])
    assert ledger.batches(use_case) == ["b", "a", "0", "c"]


@pytest.mark.parametrize("batch", ["x', 1); drop schema leeway; --", "a\n", "../a", ""])
def test_what_is_no_batch_id_is_not_registered(ledger: Ledger, use_case: str, batch: str) -> None:
    with pytest.raises(ValueError, match="is not a batch id"):
        ledger.register_batches(use_case, ["good", batch])
    assert ledger.batches(use_case) == []


# Several processes; each gets the address through the environment that it inherits.


def prepare_and_look(url: str) -> list[str]:
    settings = Settings(environment="test", database_url=url)
    Ledger(settings).prepare()
    with transaction(settings) as cursor:
        cursor.execute("select table_name from information_schema.tables where table_schema = %s",
                       ("leeway",))  # fmt: skip
        return sorted(row[0] for row in cursor.fetchall())


def test_processes_that_prepare_at_once_all_find_every_database_and_table(
    shared: Settings, together: Together
) -> None:
    url = make_url(dsn("leeway", shared)).set(database=f"t{uuid.uuid4().hex[:12]}")
    address = url.render_as_string(hide_password=False)
    found = together(prepare_and_look, [(address,)] * 4)
    assert found == [found[0]] * 4
    assert {"attempts", "commits", "current", "releases", "moves"} <= set(found[0])
    for database in DATABASES:
        settings = Settings(environment="test", database_url=address)
        psycopg2.connect(dsn(database, settings)).close()


def overtaken_inside(ledger: Ledger, use_case: str) -> tuple[bool, str]:
    """Begins a newer attempt while an older one is inside its commit.

    Returns whether the newer one had to wait for it, and what readers see in the end.
    """
    entered, go_on = Event(), Event()

    def stay(cursor: psycopg2.extensions.cursor) -> None:
        entered.set()
        assert go_on.wait(30)

    def overtake() -> None:
        commit(ledger, ledger.begin(use_case, "clean", "1", "newer"), "newer", digest="newer")

    with ThreadPoolExecutor(2) as threads:
        attempt = ledger.begin(use_case, "clean", "1", "older")
        older = threads.submit(commit, ledger, attempt, "older", digest="older", also=stay)
        assert entered.wait(30)
        newer = threads.submit(overtake)
        assert until(lambda: newer.done() or waiting(ledger.settings) > 0, 30) is not None
        waited = not newer.done()
        go_on.set()
        older.result(30)
        newer.result(30)
    return waited, ledger.require(use_case, "clean", "1").digest


def test_an_attempt_that_begins_while_an_older_one_commits_waits_and_wins(
    ledger: Ledger, use_case: str
) -> None:
    assert overtaken_inside(ledger, use_case) == (True, "newer")


def test_with_a_fence_that_holds_no_lock_the_older_attempt_would_win(
    ledger: Ledger, use_case: str
) -> None:
    """The control of the test before: nothing else makes the newer one wait."""
    statements = (Path(module.__file__).parent / "ledger.sql").read_text()
    fence = statements[statements.index("create or replace function leeway.fence") :]
    assert fence.count(" for update") == 1
    try:
        with transaction(ledger.settings) as cursor:
            cursor.execute(fence.replace(" for update", ""))
        assert overtaken_inside(ledger, use_case) == (False, "older")
    finally:
        ledger.prepare()


def attempt_often(url: str, use_case: str, worker: int) -> int:
    """Begins and commits many times; returns how often the commit was allowed."""
    ledger = Ledger(Settings(environment="test", database_url=url))
    allowed = 0
    for number in range(15):
        attempt = ledger.begin(use_case, "clean", "1", f"{worker}/{number}")
        try:
            commit(ledger, attempt, f"{worker}/{number}")
            allowed += 1
        except StaleAttempt:
            continue
    return allowed


def test_processes_that_commit_one_node_at_once_record_exactly_what_was_allowed(
    ledger: Ledger, use_case: str, together: Together
) -> None:
    url = dsn("leeway", ledger.settings)
    allowed = together(attempt_often, [(url, use_case, worker) for worker in range(4)])
    assert sum(allowed) == count(ledger, "commits", use_case) > 0
    assert count(ledger, "current", use_case) == 1


def register(url: str, use_case: str, batches: list[str]) -> list[str]:
    ledger = Ledger(Settings(environment="test", database_url=url))
    ledger.register_batches(use_case, batches)
    return ledger.batches(use_case)


def test_processes_that_register_the_same_batches_at_once_keep_one_order(
    ledger: Ledger, use_case: str, together: Together
) -> None:
    url, batches = dsn("leeway", ledger.settings), [f"{number:03}" for number in range(30)]
    found = together(register, [(url, use_case, batches)] * 4)
    assert found == [batches] * 4


def test_what_a_run_did_not_tell_is_marked_until_it_is_committed_again(
    ledger: Ledger, use_case: str
) -> None:
    run_id = str(uuid.uuid4())
    for batch in ("1", "2"):
        commit(ledger, ledger.begin(use_case, "clean", batch, run_id))
    commit(ledger, ledger.begin(use_case, "raw", "1", "another run"))
    assert {run_id, "another run"} <= set(ledger.runs_told())
    assert ledger.committed_by(run_id) == [(use_case, "clean", "1"), (use_case, "clean", "2")]
    ledger.mark_untold(run_id, [(use_case, "clean", "2"), (use_case, "raw", "1")])
    assert ledger.committed_by(run_id) == [(use_case, "clean", "1")]
    told = {key: found.told for key, found in ledger.every_current(use_case).items()}
    assert told == {("clean", "1"): True, ("clean", "2"): False, ("raw", "1"): True}
    assert commit(ledger, ledger.begin(use_case, "clean", "2", "next")).told
    assert all(found.told for found in ledger.every_current(use_case).values())


def test_an_installation_from_before_the_controller_gets_what_it_lacks(settings: Settings) -> None:
    ledger = Ledger(settings)
    with transaction(settings) as cursor:
        cursor.execute(
            "drop table leeway.decisions; alter table leeway.releases drop column seq; "
            "alter table leeway.incidents drop column seq, drop column cause, drop column origin; "
            "drop sequence leeway.recorded; "
            "insert into leeway.incidents "
            "(use_case, digest, batch, columns, release_digest, run_id) values "
            "('old', 'sha256:i', '1', '{x}', 'sha256:r', ''), "
            "('old', 'sha256:j', '2', '{x}', 'sha256:r', '')"
        )
    for _ in range(2):
        ledger.prepare()
    found = Releases(settings).incidents("old", "sha256:r", 9)
    assert [(each.digest, each.cause, each.origin) for each in found] == [
        ("sha256:i", "drift", "unknown"),
        ("sha256:j", "drift", "unknown"),
    ]
    assert Decisions(settings).position("old").newest is None


def test_to_prepare_again_waits_for_nobody_who_writes(settings: Settings) -> None:
    """Guards: to add a column that is there takes a lock, and a sensor stood still meanwhile."""
    with ThreadPoolExecutor(1) as pool, transaction(settings) as cursor:
        cursor.execute(
            "lock table leeway.incidents, leeway.releases, leeway.moves, leeway.decisions "
            "in row exclusive mode"
        )
        pool.submit(Ledger(settings).prepare).result(timeout=30)
