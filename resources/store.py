"""The object store: immutable objects, each named by the SHA-256 of its bytes.

Belongs here: putting and getting bytes. Does not belong here: what an object means, or pointers to
objects, which are rows of the ledger.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from leeway.identifiers import check_identifier
from resources.faults import fault
from resources.opening import LinkOutside, read_inside

Prefix = Literal["raw", "clean", "models", "reports", "predictions"]


class CorruptObject(RuntimeError):
    """An object's bytes are not those that its name promises."""


@dataclass(frozen=True)
class StoredObject:
    """Where an object is, what it holds and how large it is."""

    digest: str
    uri: str
    size_bytes: int


class LocalStore:
    """Objects as files of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, prefix: Prefix, use_case: str, suffix: str, data: bytes) -> StoredObject:
        """Stores `data`; storing the same bytes again changes nothing.

        The file appears whole or not at all: it is written under another name, flushed to the disk
        and renamed. When this returns, a power cut takes neither the file nor its name, whoever
        wrote it.

        Raises:
            ValueError: when `use_case` is not the name of one.
        """
        digest = hashlib.sha256(data).hexdigest()
        folder = self.root / prefix / check_identifier(use_case)
        path = folder / f"{digest}.{suffix}"
        if not (path.exists() and path.stat().st_size == len(data)):
            _make_folder(folder)
            _write_atomically(path, data)
        # Also what another writer has renamed just now, or made a folder for: it may have come no
        # further, and we are about to commit a row that names the object.
        for each in (folder, folder.parent, self.root):
            _flush(each)
        return StoredObject(f"sha256:{digest}", path.as_uri(), len(data))

    def get(self, uri: str, digest: str) -> bytes:
        """The bytes of an object, verified.

        Raises:
            FileNotFoundError: when there is no such object.
            CorruptObject: when the bytes do not have the digest.
            ValueError: when the address is not inside this store.
        """
        path = Path(unquote(uri.removeprefix("file://")))
        try:
            data = read_inside(path, self.root)
        except LinkOutside as error:
            raise ValueError(f"{uri} is not inside the object store {self.root}") from error
        except FileNotFoundError as error:
            gone = "the object is gone; `leeway run NAME --select NODE` makes its node again"
            raise FileNotFoundError(error.errno, gone, str(path)) from error
        found = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if found != digest:
            raise CorruptObject(
                f"{uri} holds {found}, expected {digest}: the file was changed or damaged. "
                "Remove it and materialize its node again."
            )
        return data

    def sweep(self, older_than_seconds: float, now: float) -> int:
        """Removes what killed writers left behind; returns how many files."""
        removed = 0
        for path in self.root.glob("*/*/.writing-*"):
            with suppress(FileNotFoundError):  # its writer renamed it just now
                if now - path.stat().st_mtime > older_than_seconds:
                    path.unlink()
                    removed += 1
        return removed


def _write_atomically(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            half = len(data) // 2
            file.write(data[:half])
            fault("store.half_written")
            file.write(data[half:])
            file.flush()
            os.fsync(file.fileno())
        fault("store.before_rename")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, each of which is on the disk before one is made in it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush(folder.parent)


def _flush(folder: Path) -> None:
    """Has the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
