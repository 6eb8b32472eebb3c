"""What a process and its parent owe each other: to end together.

Belongs here: tying a process's life to another's, and services, which are programs that end with
all that they started. Does not belong here: which programs, or what they do.

A service is the leader of a process group, so that what it starts can be ended with it. The keeper
is a process that does this when we are killed ourselves: it kills the groups as soon as the pipe
to us closes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ends this process at once when its parent ends, so that no orphan commits later.

    Linux does it by a signal; elsewhere a thread looks every half second.

    Args:
        parent: its pid, from itself: it may have ended while this process was starting.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


class Keeper:
    """A process that outlives us for as long as it takes to kill the groups we told it of."""

    def __init__(self) -> None:
        # -P: this file's folder holds modules that are called like those of the library.
        reading, self.pipe = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(reading)

    def keep(self, group: int) -> None:
        """From now on, the group is killed when this process ends."""
        self._tell(f"+{group}")

    def release(self, group: int) -> None:
        """The group has ended; its number may be given anew."""
        self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError):  # somebody killed the keeper: we still end them ourselves
            os.write(self.pipe, f"{line}\n".encode())


class Service:
    """A program that runs until it is ended, with everything that it starts."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        keeper: Keeper,
        *,
        environment: Mapping[str, str],
        folder: Path,
        has_worker: bool = False,
    ) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.keeper = keeper
        self.environment = environment
        self.folder = folder
        self.has_worker = has_worker  # useless without the child that it starts
        self.had_worker = False
        self.start()

    def start(self) -> None:
        """Starts the program, again if it had ended."""
        self.had_worker = False
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )
        self.keeper.keep(self.process.pid)

    def why_ended(self) -> str | None:
        """Why the program is of no use any more; None while it is."""
        code = self.process.poll()
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        if code is not None:
            return f"ended with code {code}"
        if self.has_worker:
            working = _has_child(self.process.pid)
            if self.had_worker and not working:
                return "lost its worker"
            self.had_worker = working
        return None

    def kill(self) -> None:
        """Kills what is left of the program and of all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.keeper.release(self.process.pid)

    def ask_to_end(self) -> None:
        """Sends SIGTERM to the program and to all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)

    def has_ended(self) -> bool:
        """Whether nothing is left, neither of the program nor of what it started."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


def end_together(services: Sequence[Service], seconds: float) -> None:
    """Asks all to end and, after `seconds`, kills what did not."""
    for service in services:
        service.ask_to_end()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not all(service.has_ended() for service in services):
        time.sleep(0.1)
    for service in services:
        service.kill()


def _has_child(pid: int) -> bool:
    import psutil

    try:
        children = psutil.Process(pid).children()
        return any(child.status() != psutil.STATUS_ZOMBIE for child in children)
    except psutil.NoSuchProcess:
        return False


def _keep() -> None:
    """What the keeper does: reads groups until the pipe closes, then kills those that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what ends our parent must not end us first
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _keep()
