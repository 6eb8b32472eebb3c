"""Reads the costly files within 512 MB of address space; prints what became of each, as JSON."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

from resources.files import SourceError, read_data
from tests.faults.hostile import costly

MEMORY = 512 * 2**20


def main() -> None:
    """One line a file: name, refusal or None, and seconds."""
    files = costly()
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve more than that ahead
    pa.set_cpu_count(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for name, (file, data) in files.items():
        started = time.monotonic()
        said = None
        try:
            read_data(file, data, "the/place")
        except SourceError as error:
            said = str(error)
        print(json.dumps([name, said, time.monotonic() - started]), flush=True)  # noqa: T201  # read by the test
    print(json.dumps(peak_kilobytes()), flush=True)  # noqa: T201  # as above
    # Arrow's threads now and then abort a process that ends (github.com/apache/arrow/issues/34314).
    os._exit(0)


def peak_kilobytes() -> int:
    """The most resident memory; getrusage counts that of the process that started this one, too."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
