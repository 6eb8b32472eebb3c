"""Files of others that a native or unpacking parser reads: each in a process of its own.

Belongs here: starting `parser_process`, and what its end means. Does not belong here: text formats
(`resources.text_formats`), which are checked before a parser sees them and bounded by their size.

The process costs 0.2 s a file: it starts Python and imports pyarrow. A damaged or hostile file
ends it, and not the run; it has no variable of the environment that could be a secret.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from leeway.data.records import MOST_COLUMNS
from resources.files import USUAL, Layout, SourceError, largest_bytes, too_large
from resources.parser_process import REFUSED, TOO_LARGE

if TYPE_CHECKING:
    import pyarrow as pa

PROGRAM = Path(__file__).with_name("parser_process.py")
CPU_SECONDS = 300  # for a million rows of Excel; Parquet needs one for each 100 MB
WALL_SECONDS = 1800  # a machine that has other work, or a slow disk, is no fault of the file
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR")
_SHOWN = 300  # characters of a parser's message


def parse(suffix: str, data: bytes, place: str, layout: Layout = USUAL) -> pa.Table:
    """The table in the bytes of a .parquet or .xlsx file; that of Excel is text, as CSV is.

    Header 0 is the row that looks like the names, which the metadata of the table then tells.

    Raises:
        SourceError: begins with `place`; when it is damaged, too large, or takes too long.
    """
    import pyarrow as pa

    limits = map(str, (largest_bytes(), MOST_COLUMNS, CPU_SECONDS))
    header = "" if layout.header is None else str(layout.header)
    given = [suffix, *limits, header, *([] if layout.sheet is None else [layout.sheet])]
    with tempfile.TemporaryFile() as stream:
        try:
            done = subprocess.run(  # our own program; the file is on its standard input
                [sys.executable, "-P", str(PROGRAM), *given],
                input=data,
                stdout=stream,
                stderr=subprocess.PIPE,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                timeout=WALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _too_slow(place, f"{WALL_SECONDS} s") from None
        if done.returncode != 0:
            raise _refusal(done.returncode, done.stderr.decode(errors="replace").strip(), place)
        stream.seek(0)
        return pa.ipc.open_stream(pa.py_buffer(stream.read())).read_all()


def _refusal(code: int, said: str, place: str) -> SourceError:
    if code == TOO_LARGE:
        return too_large(place, int(said) if said.isdecimal() else None)
    if code == REFUSED:
        return SourceError(f"{place}: {said[:_SHOWN]}. Mend the file, or write it anew as CSV")
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return _too_slow(place, f"{CPU_SECONDS} s of work")
    return SourceError(
        f"{place}: it ended the program that reads it (exit code {code}): it is damaged, or made "
        f"to. Write it anew{': ' if said else ''}{said[-_SHOWN:]}"
    )


def _too_slow(place: str, time: str) -> SourceError:
    return SourceError(
        f"{place}: it was not read after {time}; write it as CSV, or cut it into several batches"
    )
