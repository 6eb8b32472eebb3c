"""`leeway doctor` finds what is wrong, says how to mend it, and itself mends nothing.

No PostgreSQL runs here; what it finds of one is in tests/contract.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from cli import doctor, doctor_folders, doctor_servers
from cli.main import cli
from resources import postgres
from resources.settings import Settings, get_settings

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

    for name in Settings.model_fields:
        monkeypatch.delenv(f"LEEWAY_{name.upper()}", raising=False)
    # The machine of a test may have less room than an installation needs.
    monkeypatch.setattr(doctor_folders, "NEEDED_BYTES", 0)
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
    monkeypatch.setattr(doctor_folders, "NEEDED_BYTES", 2**80)
    code, found = diagnose()
    assert (code, errors(found)) == (1, ["disk"])


EMBEDDED = Settings(_env_file=None, environment="test", home=Path("/srv/leeway"))
SERVED = EMBEDDED.model_copy(update={"database_url": SecretStr("postgresql://h/db")})
NETWORK = ["nfs4", "ceph", "fuse.ceph-fuse", "lustre", "glusterfs", "fuse.glusterfs", "gpfs",
           "beegfs", "fuse.sshfs", "CIFS"]  # fmt: skip


@pytest.mark.parametrize("kind", NETWORK)
def test_the_embedded_server_is_kept_off_a_network_file_system(kind: str) -> None:
    mounts = [("/", "ext4"), ("/srv", kind), ("/home", "ext4")]
    found = doctor_folders.file_system(EMBEDDED, mounts)
    assert (found.state, found.detail) == ("error", f"{kind} at /srv is a network file system")
    assert "LEEWAY_DATABASE_URL" in found.remedy
    assert doctor_folders.file_system(SERVED, mounts).state == "ok", "a server has its own disk"
    assert doctor_folders.file_system(EMBEDDED, [*mounts, ("/srv/leeway", "xfs")]).state == "ok"
    assert (
        doctor_folders.file_system(EMBEDDED, [("/srv", "autofs"), ("/srv", kind)]).state == "error"
    )
    assert doctor_folders.file_system(EMBEDDED, []).state == "warning"


def test_a_postgresql_that_is_too_old_is_an_error() -> None:
    found = doctor_servers._too_old(130_022)
    assert found is not None
    assert (found.state, found.detail) == ("error", "server, PostgreSQL 13.22")
    assert found.remedy == "use PostgreSQL 14 or later"
    assert doctor_servers._too_old(140_000) is None


def test_a_store_of_its_own_is_looked_at(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Regression: it was written to for the first time in the middle of a run."""
    code, found = diagnose(LEEWAY_STORE_URL=str(tmp_path / "objects"))
    assert (code, errors(found)) == (0, [])
    assert f"{tmp_path / 'objects'}, " in found["store"]["detail"]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    code, found = diagnose(LEEWAY_STORE_URL=str(tmp_path / "file" / "objects"))
    assert (code, errors(found)) == (1, ["store"])
    assert "Not a directory" in found["store"]["detail"]
    assert "LEEWAY_STORE_URL" in found["store"]["remedy"]
    there = Settings(_env_file=None, environment="test", store_url=str(tmp_path / "objects"))
    mounted = doctor_folders.store(there, [("/", "ext4"), (str(tmp_path), "nfs4")])
    assert (mounted.state, "nfs4" in mounted.detail) == ("warning", True)
    monkeypatch.setattr(doctor_folders, "NEEDED_BYTES", 2**80)
    assert doctor_folders.store(there, [("/", "ext4")]).state == "error"


def test_a_folder_of_public_files_must_be_one(diagnose: Diagnose, tmp_path: Path) -> None:
    assert diagnose(LEEWAY_DATA_DIR=str(tmp_path))[1]["data"]["state"] == "ok"
    (tmp_path / "file").touch()
    for name, says in (("none", "does not exist"), ("file", "is no folder")):
        code, found = diagnose(LEEWAY_DATA_DIR=str(tmp_path / name))
        assert (code, errors(found)) == (1, ["data"])
        assert found["data"]["detail"] == f"{tmp_path / name} {says}"
        assert "LEEWAY_DATA_DIR" in found["data"]["remedy"]


class Answers(BaseHTTPRequestHandler):
    """Those with the right password get 404, as of a server that has no `/health`."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == f"Basic {b64encode(b'ana:s3 cret').decode()}"
        self.send_response(404 if known else 401)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_an_mlflow_that_answers_is_told_from_one_that_does_not(
    diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"127.0.0.1:{server.server_port}"
        good, bad = (diagnose(LEEWAY_MLFLOW_TRACKING_URI=f"http://{login}@{at}/")[1]["MLflow"]
                     for login in ("ana:s3%20cret", "ana:wrong"))  # fmt: skip
        server.shutdown()
    assert (good["state"], good["detail"]) == ("ok", f"http://{at}/ answers with 404")
    assert (bad["state"], bad["detail"]) == ("error", f"http://{at}/ answers with 401")
    assert "LEEWAY_MLFLOW_TRACKING_URI" in bad["remedy"]
    code, found = diagnose(LEEWAY_MLFLOW_TRACKING_URI="http://ana:s3cret@127.0.0.1:9")
    assert (code, errors(found)) == (1, ["MLflow"])
    assert "s3cret" not in json.dumps(found)
    monkeypatch.setattr(doctor_servers, "MLFLOW_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = diagnose(LEEWAY_MLFLOW_TRACKING_URI=address)[1]
    assert found["MLflow"]["detail"] == f"{address} does not answer: ReadTimeoutError"


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
