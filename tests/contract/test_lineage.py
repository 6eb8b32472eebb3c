"""A commit keeps what it was made from, and a decision its policy, in the ledger itself."""

from __future__ import annotations

import json

import pytest
from psycopg2 import errors

from leeway.code_version import code_version, definition_of
from leeway.digests import digest_of
from leeway.graph import node
from orchestration.use_cases import load_use_cases
from resources.decisions import Decisions
from resources.definitions import Lineage
from resources.ledger import Ledger
from resources.postgres import PostgresUnavailable, transaction
from resources.settings import Settings
from resources.why.commits import commits, definitions_of, lineage_of, read_by
from resources.why.reading import NotRecorded, looking

CODE = {"code": "sha256:1", "fields": {"seed": 42, "split": 1e-7}}


def commit(
    ledger: Ledger, batch: str, digest: str, inputs: dict[str, str] | None, node: str = "clean"
) -> None:
    attempt = ledger.begin("u", node, batch, "run")
    lineage = None if inputs is None else Lineage(inputs, CODE)
    ledger.commit(attempt, input_digest=f"{digest}{inputs}", digest=digest, uri="file:///x",
                  rows=1, facts={"batches": ["1", "2"]}, lineage=lineage)  # fmt: skip


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    return Ledger(settings)


def test_a_definition_is_kept_once_under_the_digest_of_its_content(ledger: Ledger) -> None:
    commit(ledger, "1", "sha256:a", {"staged@1": "sha256:raw"})
    commit(ledger, "2", "sha256:b", {})
    with transaction(ledger.settings) as cursor:
        cursor.execute("select digest, content from leeway.definitions")
        ((digest, content),) = cursor.fetchall()
    assert digest_of(json.loads(content)) == digest
    with looking(ledger.settings) as cursor:
        (first, second) = commits(cursor, "use_case = %s order by id", ("u",))
        assert definitions_of(cursor, [first.version, None]) == {digest: CODE}
    assert (first.version, first.inputs) == (digest, {"staged@1": "sha256:raw"})
    assert second.inputs == {}, "it read nothing, which is known"


def test_a_commit_without_lineage_keeps_nothing_of_the_one_whose_place_it_takes(
    ledger: Ledger,
) -> None:
    attempt = ledger.begin("u", "clean", "1", "run")
    for lineage in (Lineage({"staged@1": "sha256:raw"}, CODE), None):
        ledger.commit(attempt, input_digest="same", digest="d", uri="u", rows=1, facts={},
                      lineage=lineage)  # fmt: skip
    with looking(ledger.settings) as cursor:
        (found,) = commits(cursor, "use_case = %s", ("u",))
    assert (found.version, found.inputs) == (None, None)


def test_the_definition_of_a_node_is_what_its_code_version_is_the_digest_of() -> None:
    use_case = load_use_cases()["penguins"]
    found = definition_of("penguins", use_case, node("tuned_model"))
    assert digest_of(found) == code_version("penguins", use_case, node("tuned_model"))
    assert found["fields"]["search"]["seed"] == use_case.search.seed


def test_what_was_read_is_found_again_and_what_was_replaced_is_missing(ledger: Ledger) -> None:
    commit(ledger, "1", "sha256:clean1", {"staged@1": "sha256:raw1"})
    commit(ledger, "1", "sha256:raw1", {}, "raw")
    commit(ledger, "2", "sha256:clean2", {"staged@2": "sha256:raw2"})
    commit(ledger, "", "sha256:t", {"clean@1": "sha256:clean1", "clean@2": "sha256:clean2"},
           "training_set")  # fmt: skip
    commit(ledger, "1", "sha256:other", {}, "clean")
    ledger.register_batches("u", ["1", "2"])
    with looking(ledger.settings) as cursor:
        (made,) = commits(cursor, "node = 'training_set' and use_case = %s", ("u",))
        found = lineage_of(cursor, "u", ["1", "2"], made)
        gone = read_by(cursor, "u", "clean", {"1": "sha256:never"}, made)
    assert {batch: each.digest for batch, each in found.clean.items()} == {
        "1": "sha256:clean1",
        "2": "sha256:clean2",
    }
    assert list(found.raw) == ["1"]
    assert list(found.arrived) == ["1", "2"]
    assert gone == {}


def test_a_policy_is_kept_under_the_digest_that_decisions_name(settings: Settings) -> None:
    policy = load_use_cases()["penguins"].retraining.model_dump()
    assert Decisions(settings).keep_policy(policy) == digest_of(policy)
    assert Decisions(settings).keep_policy(policy) == digest_of(policy)
    with looking(settings) as cursor:
        found = definitions_of(cursor, [digest_of(policy)])[digest_of(policy)]
    assert found["cooldown"] == policy["cooldown"]


def test_an_installation_from_before_is_brought_up_to_date_and_keeps_its_commits(
    ledger: Ledger,
) -> None:
    commit(ledger, "1", "sha256:a", {})
    with transaction(ledger.settings) as cursor:
        cursor.execute("alter table leeway.commits drop column version, drop column inputs")
        cursor.execute("drop table leeway.definitions")
    with (
        pytest.raises(NotRecorded, match="of an older Leeway; `leeway status` brings it up"),
        looking(ledger.settings) as cursor,
    ):
        commits(cursor, "use_case = %s", ("u",))
    for _ in range(2):
        ledger.prepare()
    with looking(ledger.settings) as cursor:
        (found,) = commits(cursor, "use_case = %s", ("u",))
    assert (found.digest, found.version, found.inputs) == ("sha256:a", None, None)


def test_a_look_changes_nothing_and_sees_one_moment(ledger: Ledger) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction), looking(ledger.settings) as cursor:
        cursor.execute("delete from leeway.commits")
    with looking(ledger.settings) as cursor:
        cursor.execute("select count(*) from leeway.batches")
        before = cursor.fetchone()
        ledger.register_batches("u", ["1"])
        cursor.execute("select count(*) from leeway.batches")
        assert cursor.fetchone() == before
    with (
        pytest.raises(PostgresUnavailable, match="the database leeway did not answer within"),
        looking(ledger.settings) as cursor,
    ):
        cursor.execute("set local statement_timeout = 50; select pg_sleep(5)")
