"""What `leeway` says to somebody who types it for the first time, before a verb begins its work."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cli.main import cli
from orchestration.use_cases import load_use_cases


def test_leeway_alone_lists_every_verb_with_a_sentence_that_is_not_cut_off() -> None:
    done = CliRunner().invoke(cli, ["--help"], terminal_width=80)
    assert done.exit_code == 0
    listed = done.stdout.split("Commands:\n")[1]
    assert all(f"\n  {name} " in f"\n{listed}" for name in cli.commands)
    assert "..." not in listed


def test_a_verb_without_its_name_says_which_names_there_are() -> None:
    names = ", ".join(sorted(load_use_cases()))
    assert "penguins" in names
    for verb in ("run", "rehearse", "promote", "rollback"):
        done = CliRunner().invoke(cli, [verb])
        assert done.exit_code == 2
        assert f"Missing argument 'NAME'. The use cases are: {names}\n" in done.stderr, verb


@pytest.mark.parametrize("arguments", [["promote", "tool_life", "1"], ["rollback", "tool_life"]])
def test_no_version_of_an_experiment_is_waited_for(arguments: list[str]) -> None:
    """Regression: it was said that a run makes the first release, which none ever does."""
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: tool_life is an experiment, which has no versions to move; "
        "`leeway status tool_life` shows its best setting\n"
    )


def test_an_experiment_is_not_rehearsed() -> None:
    done = CliRunner().invoke(cli, ["rehearse", "tool_life"])
    assert done.exit_code == 1
    assert done.stderr == (
        "error: tool_life is an experiment: it has no predictions that a fault could reach, and "
        "each of its runs is looked at by `leeway check tool_life`\n"
    )


@pytest.mark.parametrize("port", ["65532", "65536", "0", "-1"])
def test_a_port_is_refused_that_leaves_none_for_the_services_beside_it(port: str) -> None:
    """Guards: the highest port was taken, and the one after it raised."""
    done = CliRunner().invoke(cli, ["dev", "--port", port])
    assert done.exit_code == 2
    assert "is not in the range 1<=x<=65531" in done.stderr


def test_every_number_has_a_range_and_every_verb_an_example() -> None:
    for name, verb in cli.commands.items():
        assert f"Example: leeway {name}" in (verb.help or ""), name
        for each in verb.params:
            is_number = isinstance(each.type, click.types.IntParamType | click.types.FloatParamType)
            assert not is_number or isinstance(each.type, click.IntRange), (name, each.name)


def test_the_program_is_called_leeway_however_it_was_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "nosuch"], capture_output=True, text=True, check=False
    )
    assert "Usage: leeway " in done.stderr


def test_the_port_of_the_service_is_that_of_the_variable() -> None:
    done = CliRunner().invoke(cli, ["serve"], env={"PORT": "70000"})
    assert done.exit_code == 2
    assert "70000 is not in the range" in done.stderr
