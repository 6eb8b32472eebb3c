"""The one table of an archive is read from it; a bomb, a link or another content is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from resources.files import SourceError
from tests.contract.archives import CSV, LARGE, ROWS, archive, rows
from tests.reference import Reference


def tar(*members: tuple[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None,
        mode: Any = "w:gz") -> bytes:  # fmt: skip
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            file.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return packed.getvalue()


PACKED: dict[str, tuple[bytes, str | None]] = {
    "t.csv": (CSV, None),
    "t.csv.gz": (gzip.compress(CSV, mtime=0), None),
    "t.tgz": (tar(("./data/t.csv", CSV), ("README", b"x")), "data/t.csv"),
    "t.tar.gz": (tar(("t.csv", CSV)), "t.csv"),
    "t.tar": (tar(("t.csv", CSV), mode="w"), "t.csv"),
    "t.zip": (zipped(("data/t.csv", CSV), ("README", b"x")), "data/t.csv"),
    "u.zip": (zipped(("t.csv.gz", gzip.compress(CSV, mtime=0))), "t.csv.gz"),
}


@pytest.mark.parametrize("name", PACKED)
def test_the_table_is_read_from_each_kind_of_file(reference: Reference, name: str) -> None:
    data, member = PACKED[name]
    source = archive(reference.serve(name, data), data, member=member)
    assert source.batches() == ["t"]
    assert rows(source) == ROWS
    assert source.description == f"archive {name}"


BOMB = b"a\n" + b"1\n" * 2**20


def understated() -> bytes:
    """A zip whose member says that it is small."""
    data = zipped(("t.csv", BOMB))
    size = len(BOMB).to_bytes(4, "little")
    return data.replace(size, (100).to_bytes(4, "little"))


def sparse() -> bytes:
    """A tar of a kilobyte whose member is a hole of a gigabyte (GNU format 1.0)."""
    info = tarfile.TarInfo("GNUSparseFile.0/t.csv")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                        "GNU.sparse.name": "t.csv", "GNU.sparse.realsize": str(2**30)}  # fmt: skip
    body = b"1\n0\n1\n".ljust(512, b"\0") + b"1".ljust(512, b"\0")
    info.size = len(body)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as file:
        file.addfile(info, io.BytesIO(body))
    return packed.getvalue()


@pytest.mark.usefixtures("one_mb")
@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("bomb.csv.gz", gzip.compress(BOMB, mtime=0), "too large: more than 1 MB"),
        ("bomb.tgz", tar(("t.csv", BOMB)), "too large: more than 1 MB"),
        ("bomb.zip", zipped(("t.csv", BOMB)), "t.csv: it is too large: 2 MB of 1 MB at most"),
        (
            "inner.zip",
            zipped(("t.csv.gz", gzip.compress(BOMB, mtime=0))),
            "too large: more than 1 MB",
        ),
        ("lies.zip", understated(), "cannot be unpacked: Bad CRC-32"),
        ("hole.tgz", sparse(), "t.csv: it is too large: 1024 MB of 1 MB at most"),
    ],
)
def test_a_bomb_is_refused_by_the_size_that_it_declares_and_by_the_one_that_it_has(
    reference: Reference, name: str, data: bytes, says: str
) -> None:
    assert len(data) < 2**16
    member = {"bomb.csv.gz": None, "inner.zip": "t.csv.gz"}.get(name, "t.csv")
    with pytest.raises(SourceError) as refused:
        rows(archive(reference.serve(name, data), data, member=member))
    assert says in str(refused.value)


def link(info: tarfile.TarInfo) -> None:
    info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/passwd", 0


def zip_link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("t.csv")
    info.external_attr = 0o120777 << 16
    return info


def locked() -> bytes:
    data = bytearray(zipped(("t.csv", CSV)))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "no member": ("a.tgz", tar(("b.csv", CSV), ("a.csv", CSV)), "has no 't.csv'; it has a.csv, b"),
    "no file": ("a.zip", zipped(), "has no 't.csv'; it has no file"),
    "twice": (
        "b.tgz",
        tar(("t.csv", CSV), ("./t.csv", b"x")),
        "has 2 members 't.csv'; one is",
    ),
    "link": ("c.tgz", tar(("t.csv", b""), change=link), "'t.csv' is a link or a folder"),
    "link in zip": ("c.zip", zipped((zip_link(), b"/etc/passwd")), "'t.csv' is a link or a folder"),
    "password": ("d.zip", locked(), "'t.csv' is locked by a password"),
    "cut tgz": ("e.tgz", tar(("t.csv", LARGE))[:-9999], "the file is cut short"),
    "cut tar": ("e.tar", tar(("t.csv", CSV), mode="w")[:515], "e.tar cannot be unpacked"),
    "cut zip": ("e.zip", zipped(("t.csv", CSV))[:-30], "e.zip cannot be unpacked: File is not a"),
    "no tar": ("f.tgz", gzip.compress(CSV, mtime=0), "f.tgz cannot be unpacked"),
    "no gzip": ("g.tgz", CSV, "no gzip, or damaged"),
    "climbs": ("h.tgz", tar(("../t.csv", CSV)), "has no 't.csv'; it has ../t.csv"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_archive_that_does_not_hold_the_one_table_is_refused(
    reference: Reference, case: str
) -> None:
    name, data, says = HOSTILE[case]
    with pytest.raises(SourceError) as refused:
        rows(archive(reference.serve(name, data), data, member="t.csv"))
    assert says in str(refused.value)
    assert f"{reference.url}/files/{name}" in str(refused.value)
