"""`leeway doctor` finds what is wrong, says how to mend it, and itself mends nothing.

No PostgreSQL runs here; what it finds of one is in tests/contract.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import doctor
from cli.main import cli
from resources import postgres
from resources.settings import get_settings

Diagnose = Callable[..., tuple[int, dict[str, dict[str, Any]]]]
SUBJECTS = [
    "Python", "libraries", "settings", "home", "file system", "disk", "PostgreSQL", "use cases"
]  # fmt: skip


@pytest.fixture
def diagnose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Diagnose]:
    """Exit code and findings by subject, of an installation whose home does not exist yet."""

    def call(**variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
        own = {"LEEWAY_HOME": str(tmp_path / "home"), "LEEWAY_ENVIRONMENT": "test"}
        for name, value in (own | variables).items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        done = CliRunner().invoke(cli, ["doctor", "--json"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        found = json.loads(done.stdout)["findings"]
        return done.exit_code, {each["subject"]: each for each in found}

    monkeypatch.delenv("LEEWAY_DATABASE_URL", raising=False)
    # The machine of a test may have less room than an installation needs.
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 0)
    yield call
    get_settings.cache_clear()


def errors(found: dict[str, dict[str, Any]]) -> list[str]:
    return [subject for subject, each in found.items() if each["state"] == "error"]


def test_a_fresh_installation_has_no_error_and_is_left_as_it_was(
    diagnose: Diagnose, tmp_path: Path
) -> None:
    """Guards: the doctor made the home, started the server and created the databases."""
    code, found = diagnose()
    assert (code, errors(found), list(found)) == (0, [], SUBJECTS)
    assert "the first command makes it" in found["home"]["detail"]
    assert "is not running; the first command starts it" in found["PostgreSQL"]["detail"]
    assert list(tmp_path.iterdir()) == []


def test_a_home_below_a_file_is_an_error_with_a_remedy(diagnose: Diagnose, tmp_path: Path) -> None:
    """Guards: a home that cannot be made ended in a traceback, and nothing was printed."""
    (tmp_path / "file").touch()
    code, found = diagnose(LEEWAY_HOME=str(tmp_path / "file" / "home"))
    assert code == 1
    assert "home" in errors(found)
    assert "Not a directory" in found["home"]["detail"]
    assert "LEEWAY_HOME" in found["home"]["remedy"]
    assert list(found) == SUBJECTS, "what is wrong with one does not hide the others"


@pytest.mark.parametrize(
    ("name", "value"),
    [("LEEWAY_ENVIRONMENT", "staging"), ("LEEWAY_ENVIRONMENT", "production")],
)
def test_a_setting_that_is_wrong_is_a_finding(diagnose: Diagnose, name: str, value: str) -> None:
    """Guards: it ended before any finding, without JSON."""
    code, found = diagnose(**{name: value})
    assert (code, errors(found)) == (1, ["settings"])
    assert name in found["settings"]["detail"]
    assert ".env" in found["settings"]["remedy"]
    assert list(found) == ["Python", "libraries", "settings", "use cases"]


def test_a_library_that_is_missing_is_named(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LIBRARIES", ("pandas", "no-such-library"))
    code, found = diagnose()
    assert (code, errors(found)) == (1, ["libraries"])
    assert "no-such-library" in found["libraries"]["detail"]
    assert "make setup" in found["libraries"]["remedy"]


def test_a_server_that_does_not_answer_says_which_variable_and_what_to_do(
    diagnose: Diagnose,
) -> None:
    code, found = diagnose(LEEWAY_DATABASE_URL="postgresql://ana:secret@127.0.0.1:9/x")
    assert (code, errors(found)) == (1, ["PostgreSQL"])
    for word in ("LEEWAY_DATABASE_URL", "unset"):
        assert word in found["PostgreSQL"]["remedy"]
    assert "secret" not in json.dumps(found)


def test_a_server_that_says_nothing_is_not_waited_for(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 200: a look at what is well hung with what it looked at."""
    monkeypatch.setitem(postgres._NETWORK, "connect_timeout", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it listens, and nobody answers
        port = silent.getsockname()[1]
        end = threading.Timer(30, silent.close)  # no signal ends the wait of libpq
        end.start()
        started = time.monotonic()
        code, found = diagnose(LEEWAY_DATABASE_URL=f"postgresql://ana@127.0.0.1:{port}/x")
        end.cancel()
    assert (code, errors(found)) == (1, ["PostgreSQL"])
    assert "timeout expired" in found["PostgreSQL"]["detail"]
    assert 1.5 < time.monotonic() - started < 60


def test_an_address_that_is_none_is_a_wrong_setting(diagnose: Diagnose) -> None:
    code, found = diagnose(LEEWAY_DATABASE_URL="not a URL")
    assert (code, errors(found)) == (1, ["settings"])
    assert "LEEWAY_DATABASE_URL" in found["settings"]["detail"]


def test_too_little_room_is_an_error(diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 2**80)
    code, found = diagnose()
    assert (code, errors(found)) == (1, ["disk"])


def test_a_look_that_fails_by_itself_is_an_error_finding(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError("no such device")

    monkeypatch.setattr("psutil.disk_partitions", lambda **_: fails())
    code, found = diagnose()
    assert (code, errors(found)) == (1, ["file system"])
    assert "no such device" in found["file system"]["detail"]
    assert found["file system"]["remedy"]


def test_a_postmaster_file_of_another_process_is_no_server_and_no_error(
    diagnose: Diagnose, tmp_path: Path
) -> None:
    """After a crash of the machine, the number of the server may be that of another process.

    Regression: it was an error to be mended by hand, and the first command mends it.
    """
    data = tmp_path / "home" / "postgres"
    data.mkdir(parents=True)
    lines = ["1", str(data), "1700000000", "5432", str(data), "", "1 1", "ready"]
    (data / "postmaster.pid").write_text("\n".join(lines))
    code, found = diagnose()
    assert (code, errors(found)) == (0, [])
    assert "is not running; the first command starts it" in found["PostgreSQL"]["detail"]


def test_use_cases_that_are_not_valid_are_named_with_their_file(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from orchestration.use_cases import load_use_cases

    (tmp_path / "defs" / "x").mkdir(parents=True)
    (tmp_path / "defs" / "x" / "defs.yaml").write_text("type: x\n")
    monkeypatch.setattr(doctor, "load_use_cases", lambda: load_use_cases(tmp_path / "defs"))
    code, found = diagnose()
    assert (code, errors(found)) == (1, ["use cases"])
    assert "defs.yaml" in found["use cases"]["detail"]
