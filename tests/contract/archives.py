"""Archives of public files as sources, for the tests of their download and of their unpacking.

Belongs here: making such a source, and its rows. Does not belong here: what must hold of them.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from leeway.spec import ArchiveSource
from resources.sources import Archive
from resources.web import Patience, Web

CSV = b"year,x\n2009,a\n2007,b\n"
ROWS = {"year": ["2009", "2007"], "x": ["a", "b"]}
LARGE = os.urandom(2**20 + 1)  # more than a MB, however it is packed


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def archive(url: str, data: bytes, **fields: Any) -> Archive:
    fields = {"kind": "archive", "url": url, "digest": digest(data)} | fields
    patience = Patience(attempts=3, first_delay=0.01, silence=1, answer=1.5)
    return Archive(ArchiveSource.model_validate(fields), Web(patience))


def rows(source: Archive) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = source.read(source.batches()[0]).to_pydict()
    return found
