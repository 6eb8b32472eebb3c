"""The `leeway` command before anything was materialized, and where nothing can be.

Belongs here: what each verb says on a fresh installation, or one with a mistake in a file of the
user's. Does not belong here: what it says of an installation that works (test_command_line.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.installed import Complete
from tests.project_copy import NAME

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def fresh(installed: Complete) -> None:
    """Nothing was materialized yet."""
    installed.start_over()


@contextmanager
def without_batches(installed: Complete) -> Iterator[None]:
    """The folder of the source is away."""
    away = installed.batches.with_name("away")
    installed.batches.rename(away)
    yield
    away.rename(installed.batches)


@pytest.mark.parametrize("verb", ["check", "status", "run", "rollback"])
def test_a_name_that_does_not_exist_is_refused_before_anything_is_made(
    installed: Complete, tmp_path: Path, verb: str
) -> None:
    """Guards: `leeway check` started PostgreSQL to refuse a name."""
    done = installed.leeway(verb, "nosuch", LEEWAY_HOME=str(tmp_path / "home"))
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: no use case 'nosuch'; there are penguins\n"
    assert not (tmp_path / "home").exists()


def test_status_of_what_never_ran_says_what_to_type(installed: Complete) -> None:
    done = installed.leeway("status")
    assert done.code == 0
    assert f"none; run `leeway run {NAME}`" in done.err
    found = installed.leeway("status", "--json").json["use_cases"][NAME]
    assert (found["champion"], found["last_run"], found["metrics"]) == (None, None, {})


def test_a_check_of_what_never_ran_says_what_to_type_and_is_no_success(
    installed: Complete,
) -> None:
    """Guards: each check warned and each of dbt's tests failed on a relation that was missing."""
    done = installed.leeway("check", "--json")
    message = f"never materialized; run `leeway run {NAME}`"
    assert done.code == 1
    assert done.json["use_cases"] == {NAME: {"passed": 0, "failed": [], "error": message}}
    assert done.err == f"{NAME}: {message}\n"


@pytest.mark.parametrize("arguments", [["rollback", NAME], ["promote", NAME, "1"]])
def test_a_move_of_what_was_never_released_says_what_to_type(
    installed: Complete, arguments: list[str]
) -> None:
    done = installed.leeway(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: {NAME} has no release yet; `leeway run {NAME}` makes the first\n"


def test_a_source_that_is_missing_is_one_message_and_one_object(installed: Complete) -> None:
    with without_batches(installed):
        done = installed.leeway("run", NAME, "--json")
    message = f"{installed.batches}: no such file or folder; check source.path in defs.yaml"
    assert (done.code, done.err) == (1, f"error: {message}\n")
    assert done.json == {"error": message}


def test_a_typo_in_a_dbt_model_is_one_message_with_its_place(installed: Complete) -> None:
    """Guards: it was a traceback of Dagster's."""
    model = installed.project / "dbt_project/models/penguins/staging/penguins_staged.sql"
    text = model.read_text()
    model.write_text("{{ config(materialized='view' }}\n" + text)
    try:
        done = installed.leeway("run", NAME, "--json")
    finally:
        model.write_text(text)
    assert done.code == 1
    assert "Traceback" not in done.err
    message = done.json["error"]
    assert f"error: {message}\n" in done.err
    for words in ("penguins_staged.sql", "unexpected '}'", "line 1", "leeway-dbt parse"):
        assert words in message


def test_a_check_of_rows_that_are_not_in_the_warehouse_yet_says_which(
    installed: Complete,
) -> None:
    """Guards: each of dbt's tests failed on a relation that was missing."""
    assert installed.leeway("run", NAME, "--select", "raw").code == 0
    done = installed.leeway("check", NAME, "--json")
    found = done.json["use_cases"][NAME]
    assert done.code == 1
    assert found["error"] == f"staged and clean never materialized; run `leeway run {NAME}`"
    assert {each["node"] for each in found["failed"]} <= {
        "release",
        "drift",
        "damage",
        "performance",
    }
    assert found["passed"] == 1, "of raw"
