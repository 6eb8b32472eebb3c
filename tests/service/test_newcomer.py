"""docs/serving.md as somebody reads it who types what it shows, in its order.

Belongs here: that each command works, and that what it prints has what the page shows. Does not
belong here: the other pages (tests/docs), or that the answers are right.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from resources.settings import PROJECT
from tests.service.service import Client

pytestmark = pytest.mark.timeout(300)
HOST = "127.0.0.1:8000"
PAGE = PROJECT / "docs" / "serving.md"


class Typed(NamedTuple):
    """A command of the page, and what it shows below it; nothing where it shows nothing."""

    command: str
    shown: str


def typed() -> list[Typed]:
    """Those that ask the service on this machine, and those that make what these send."""
    found: list[Typed] = []
    for block in re.findall(r"(?:^    .*\n)+", PAGE.read_text(), re.MULTILINE):
        for part in re.split(r"^    \$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r"\\\n +", "", part).partition("\n")
            found.append(Typed(command, shown))
    return [each for each in found if HOST in each.command or "rows.csv" in each.command]


def words(text: str) -> list[str]:
    """What a page that leaves out the rest says of a JSON text: its names, and whole texts."""
    return re.findall(r'"[^"…]+"(?::|(?=[,\]}]))', text)


def test_each_command_of_the_page_works_in_its_order(client: Client, tmp_path: Path) -> None:
    commands = typed()
    assert len(commands) >= 11, "the control: there are commands"
    for each in commands:
        if "jq" in each.command and shutil.which("jq") is None:
            continue
        command = each.command.replace(HOST, f"127.0.0.1:{client.port}")
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, (each.command, done.stderr)
        refused = '"status":4' in done.stdout
        assert refused == ('"status":4' in each.shown), (each.command, done.stdout)
        identities = re.compile(r'"[0-9a-f]{32}"')
        for word in words(identities.sub("", each.shown)):
            assert word in done.stdout, (each.command, word, done.stdout)
