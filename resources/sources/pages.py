"""Pages of an HTTP API, kept so that a reading that was cut off goes on where it was.

Belongs here: keeping answers, and what is sent to ask whether they still hold. Does not belong
here: asking (`http_api`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from resources.atomic import write_whole

RESUMED_SECONDS = 3600.0  # a reading that was cut off earlier begins anew
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


@dataclass(frozen=True)
class Page:
    """One answer that was whole, and the server's marks of its version."""

    body: bytes
    marks: Mapping[str, str]

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for the page only if it is another by now (RFC 9110, 13.1)."""
        return {_VALIDATORS[name]: value for name, value in self.marks.items()}


def _is_settled(headers: Mapping[str, str]) -> bool:
    """Whether a second change within the second of Last-Modified is ruled out.

    It is when the answer is a minute younger than the change (RFC 7232, 2.2.2).
    """
    try:
        changed = parsedate_to_datetime(headers["last-modified"])
        return (parsedate_to_datetime(headers["date"]) - changed).total_seconds() >= 60
    except (KeyError, ValueError, TypeError):  # absent, no date, or one without a zone
        return False


class Pages:
    """The pages of one batch of one API."""

    def __init__(self, home: Path, *names: str) -> None:
        self.folder = (
            home / "downloads" / "pages" / hashlib.sha256(repr(names).encode()).hexdigest()
        )

    def begin(self) -> bool:
        """Begins a reading; whether it goes on with one that was cut off just now."""
        unfinished = self.folder / "unfinished"
        try:
            age = time.time() - unfinished.stat().st_mtime
        except FileNotFoundError:
            age = RESUMED_SECONDS
        if 0 <= age < RESUMED_SECONDS:
            return True
        write_whole(unfinished, b"")
        for path in self.folder.glob(".writing-*"):  # of a process that was killed
            path.unlink(missing_ok=True)
        return False

    def end(self, pages: int) -> None:
        """Ends a reading that came to its end; more pages than it had are those of an older one."""
        for path in self.folder.glob("*.page"):
            if int(path.stem) > pages:
                path.unlink(missing_ok=True)
        (self.folder / "unfinished").unlink(missing_ok=True)

    def forget(self) -> None:
        """Drops what was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def of_this_reading(self, number: int) -> bool:
        """Whether a page was kept since the reading began."""
        try:
            kept = (self.folder / f"{number}.page").stat().st_mtime_ns
            return kept >= (self.folder / "unfinished").stat().st_mtime_ns
        except FileNotFoundError:
            return False

    def get(self, number: int) -> Page | None:
        """A page that was kept; None when there is none, or it is damaged."""
        try:
            head, _, body = (self.folder / f"{number}.page").read_bytes().partition(b"\n")
            about = json.loads(head)
        except (FileNotFoundError, ValueError):
            return None
        whole = about["sha256"] == hashlib.sha256(body).hexdigest()
        return Page(body, about["marks"]) if whole else None

    def put(self, number: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Keeps a page."""
        marks = {name: headers[name] for name in _VALIDATORS if name in headers}
        if not _is_settled(headers):
            marks.pop("last-modified", None)
        about = {"marks": marks, "sha256": hashlib.sha256(body).hexdigest()}
        write_whole(self.folder / f"{number}.page", json.dumps(about).encode() + b"\n" + body)
