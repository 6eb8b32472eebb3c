"""Asks a server over HTTP as fast as it answers, each time with another body.

    .venv/bin/python -m benchmarks.serving_load PORT BODIES --path /invocations --seconds 5

Belongs here: the load and its latencies, as a process of its own. Does not belong here: which
server that is. BODIES is a file with one JSON body a line. With `wrk` on the PATH and more than one
connection, that asks: from some 5,000 requests a second on Python is not fast enough. With `--rate`
the load is an open one: requests come at that rate whether others were answered or not.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_OPEN_LOOP = Path(__file__).with_name("open_loop.lua")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
OPEN_CONNECTIONS = 32
QUANTILES = (50, 99, 99.9)
_SCRIPT = """
local requests, at = {}, 0
init = function(_)
  for body in io.lines("BODIES") do
    local headers = {["Content-Type"] = "application/json"}
    requests[#requests + 1] = wrk.format("POST", "PATH", headers, body)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def one_client(port: int, path: str, bodies: list[bytes], seconds: float) -> dict[str, float]:
    """One connection that asks again when it was answered: requests a second, milliseconds."""
    head = HEAD.format(path=path, length="{length}")
    requests = [head.format(length=len(each)).encode() + each for each in bodies]
    taken: list[float] = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = now = perf_counter()
        while now - began < seconds:
            connection.sendall(requests[len(taken) % len(requests)])
            _answer(connection)
            before, now = now, perf_counter()
            taken.append(now - before)
    found = {"requests": len(taken), "per_second": len(taken) / (now - began)}
    return found | {"p50_ms": statistics.median(taken) * 1e3}


def _answer(connection: socket.socket) -> None:
    """Reads one answer whole; ends the program where it is no 200."""
    data = connection.recv(1 << 20)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += connection.recv(1 << 20)
    length = _LENGTH.search(data[:end])
    if not data.startswith(b"HTTP/1.1 200") or length is None:
        raise SystemExit(f"the server said {data[:500]!r}")
    left = int(length[1]) + end + 4 - len(data)
    while left > 0:
        left -= len(connection.recv(1 << 20))


def by_wrk(
    port: int, path: str, bodies: Path, seconds: float, connections: int
) -> dict[str, float]:
    """Some connections of `wrk`, each of which asks again when it was answered."""
    script = _SCRIPT.replace("BODIES", str(bodies)).replace("PATH", path)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", file.name]
        url = f"http://127.0.0.1:{port}{path}"
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+) requests in .*Requests/sec: +([\d.]+)", done.stdout, re.DOTALL)
    if found is None or "Non-2xx" in done.stdout:
        raise SystemExit(done.stdout)
    return {"requests": float(found[1]), "per_second": float(found[2])}


def at_a_rate(port: int, path: str, bodies: Path, seconds: float, rate: float) -> dict[str, float]:
    """So many requests a second, each counted from when it was due: milliseconds by quantile."""
    most = OPEN_CONNECTIONS
    own = [path, str(bodies), str(rate), "1", str(most)]
    command = ["wrk", f"-t{most}", f"-c{most}", f"-d{seconds + 1:.0f}s", "-s", str(_OPEN_LOOP)]
    url = f"http://127.0.0.1:{port}/"
    done = subprocess.run(
        [*command, url, "--", *own], capture_output=True, text=True, check=True
    ).stdout
    if failed := sum(int(each) for each in re.findall(r"^failed (\d+)", done, re.MULTILINE)):
        raise SystemExit(f"{failed} requests were not answered with 200")
    taken = sorted(int(each) for each in re.findall(r"^took (\d+)", done, re.MULTILINE))
    found = {f"p{share:g}_ms": taken[int(share / 100 * len(taken))] / 1e3 for share in QUANTILES}
    return found | {"requests": len(taken), "per_second": len(taken) / seconds}


def main() -> None:
    """Prints what was found, as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_load")
    parser.add_argument("port", type=int)
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--path", required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--rate", type=float)
    asked = parser.parse_args()
    if asked.rate:
        found = at_a_rate(asked.port, asked.path, asked.bodies, asked.seconds, asked.rate)
    elif asked.connections > 1 and shutil.which("wrk"):
        found = by_wrk(asked.port, asked.path, asked.bodies, asked.seconds, asked.connections)
    else:
        bodies = asked.bodies.read_bytes().splitlines()
        found = one_client(asked.port, asked.path, bodies, asked.seconds)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
