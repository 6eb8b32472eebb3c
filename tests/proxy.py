"""A TCP proxy that does to a server's clients what networks and broken servers do.

Belongs here: passing bytes on, and not. Does not belong here: which server that is.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

How = Literal["passes", "refuses", "is silent", "is slow", "garbles"]
SLOW_SECONDS = 0.6  # for each piece that passes


class Proxy:
    """Between clients on 127.0.0.1 and a server: `how` may be set at any time, and holds at once.

    `refuses` ends all connections and takes no new ones. `is silent` takes connections and bytes
    and passes none on, as a network that swallows all: what came meanwhile never arrives. `garbles`
    changes each byte of the server's answers.
    """

    def __init__(self, server: str | tuple[str, int]) -> None:
        self._server = server
        self._how: How = "passes"
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    @property
    def how(self) -> How:
        """What it does to its clients."""
        return self._how

    @how.setter
    def how(self, how: How) -> None:
        before, self._how = self._how, how
        if how == "refuses":
            self.end()
        elif before == "refuses":
            self._listening = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listening,), daemon=True).start()

    def end(self) -> None:
        """Ends it, and all connections."""
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = listening.accept()
                server = self._connected()
                if server is None:
                    client.close()
                    continue
                self._open |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _connected(self) -> socket.socket | None:
        family = socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET
        found = socket.socket(family)
        try:
            found.connect(self._server)
        except OSError:
            found.close()
            return None
        return found

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        """Until one side ends; a connection that lost bytes is silent for ever."""
        lost, to_client = False, one.family == socket.AF_UNIX or one.getpeername() == self._server
        with suppress(OSError):
            while data := one.recv(65_536):
                lost = lost or self._how == "is silent"
                if lost:
                    continue
                if self._how == "is slow":
                    time.sleep(SLOW_SECONDS)
                if self._how == "garbles" and to_client:
                    data = bytes(each ^ 0x55 for each in data)
                other.sendall(data)
        for each in (one, other):
            if not lost:  # nobody tells the other end either
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                self._open.discard(each)
                each.close()


@contextmanager
def proxy(server: str | tuple[str, int]) -> Iterator[Proxy]:
    """A proxy before a server, which is the path of a socket or an address."""
    found = Proxy(server)
    try:
        yield found
    finally:
        found.end()
