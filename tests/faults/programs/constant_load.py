"""Asks a service at a constant rate, whether or not it keeps up, and writes down each answer.

    python constant_load.py PORT PATH BODIES RATE OUT [CONNECTIONS]

Belongs here: requests that are due by the clock (an open loop: who waits for an answer before the
next request hides the queue), over CONNECTIONS that are used in turn and more where these are busy;
with 0, each request has a connection of its own. With a RATE of 0 each connection asks again when
it was answered, which finds how much the service can do. Does not belong here: what an answer
should be.

BODIES has a JSON body a line. It says `started`, goes on until its input ends, and then writes a
line to OUT for each request: when it was due (seconds since 1970), when it was sent and answered
(seconds after it was due), the status, the number of its body, and the answer. Instead of a status
-1 says that no connection was to be had, -2 that it ended without an answer, -3 that none came
within 10 s.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import deque
from pathlib import Path

PORT, PATH, BODIES, RATE, OUT = sys.argv[1:6]
CONNECTIONS = int(sys.argv[6]) if len(sys.argv) > 6 else 8
REFUSED, LOST, SILENT = -1, -2, -3
SECONDS = 10
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def requests_of(bodies: list[bytes]) -> list[bytes]:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Connection: {'keep-alive' if CONNECTIONS else 'close'}\r\nContent-Length: "
    )
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, str, bool]:
    """Status and body, and whether the connection can be used again."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else await reader.read()
    closes = b"connection: close" in head.lower() or length is None
    return int(head[9:12]), body.decode(), not closes


async def main() -> None:
    requests = requests_of(Path(BODIES).read_bytes().splitlines())
    idle: deque[Connection] = deque()
    found: list[tuple[float, float, float, int, int, str]] = []
    running: set[asyncio.Task[None]] = set()

    async def taken() -> Connection:
        while idle:
            reader, writer = idle.popleft()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", int(PORT))

    async def ask(due: float, which: int) -> None:
        status, text, sent = REFUSED, "", 0.0
        try:
            reader, writer = await taken()
            status, sent = LOST, time.time() - due
            writer.write(requests[which])
            async with asyncio.timeout(SECONDS):
                status, text, usable = await answer_of(reader)
            if usable:
                idle.append((reader, writer))
            else:
                writer.close()
        except TimeoutError:
            status = SILENT
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the status says how far it came
        found.append((due, sent, time.time() - due, status, which, text))

    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(told), sys.stdin
    )
    for _ in range(CONNECTIONS):
        idle.append(await asyncio.open_connection("127.0.0.1", int(PORT)))
    print("started", flush=True)  # noqa: T201
    ended = asyncio.create_task(told.read())

    async def again(which: int) -> None:
        while not ended.done():
            await ask(time.time(), which % len(requests))
            which += CONNECTIONS

    if float(RATE) == 0:
        await asyncio.gather(*(again(which) for which in range(CONNECTIONS)))
    began, number = time.time(), 0
    while not ended.done():
        while (due := began + number / float(RATE)) <= time.time():
            task = asyncio.create_task(ask(due, number % len(requests)))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        await asyncio.sleep(max(0.0, due - time.time()))
    await asyncio.gather(*running)
    with Path(OUT).open("w") as file:
        file.writelines(json.dumps(each) + "\n" for each in sorted(found))


asyncio.run(main())
