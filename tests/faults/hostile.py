"""Files that are made to cost much, or to be taken for what they are not.

Belongs here: their bytes. Does not belong here: what must become of them.
"""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Mapping

import pyarrow as pa
from openpyxl import Workbook
from pyarrow import parquet

MB = 2**20


def costly() -> Mapping[str, tuple[str, bytes]]:
    """Text that is small or large, and asks for much more than a table of its size."""
    names = ",".join(f"c{i}" for i in range(100_000)).encode()
    many = b"".join(b'{"c%d": 1}\n' % i for i in range(100_000))
    return {
        "10 MB field": ("t.csv", b"a,b\n1," + b"x" * (10 * MB) + b"\n"),
        "10 MB quoted field": ("t.csv", b'a,b\n1,"' + b"x\n" * (5 * MB) + b'"\n'),
        "10 MB field of JSON": ("t.jsonl", b'{"a": "' + b"x" * (10 * MB) + b'"}\n'),
        "100,000 columns": ("t.csv", names + b"\n" + b",".join([b"1"] * 100_000) + b"\n"),
        "100,000 columns below a name of two lines": ("t.csv", b'"a\nb",' + names + b"\n1\n"),
        "100,000 columns of TSV": ("t.tsv", names.replace(b",", b"\t") + b"\n"),
        "100,000 names of JSON": ("t.jsonl", many),
        "ragged": ("t.csv", b"a,b\n" + b"1,2\n" * 100_000 + b"1,2,3\n"),
        "header twice": ("t.csv", b"a,a\n1,2\n"),
        "quote never closed": ("t.csv", b'a,b\n1,"x\n' + b"2,y\n" * 100_000),
        "wrong delimiter": ("t.csv", b"a;b\n1;2\n"),
        "a million empty lines": ("t.csv", b"a,b\n" + b"\n" * MB + b"1\n"),
        "deep JSON": ("t.jsonl", b"[" * MB),
        "deep objects": ("t.jsonl", b'{"a":' * 100_000),
        "lists in lists": ("t.jsonl", b'{"a": [' + b"[]," * 300_000 + b"[]]}\n"),
        "gzip of 100 MB": ("t.csv.gz", gzip.compress(b"a\n" + b"1\n" * (50 * MB), 1)),
        "gzip of gzip": ("t.csv.gz", gzip.compress(gzip.compress(b"a,b\n1,2\n"))),
        "NUL": ("t.csv", b"\0" * MB),
    }


def whole(rng: random.Random) -> list[tuple[str, bytes]]:
    """Good files of each format, some of them packed in several ways."""
    rows = [(number, rng.gauss(0, 1), rng.choice(["a", "bb", ""])) for number in range(200)]
    columns = dict(zip(("id", "x", "kind"), map(list, zip(*rows, strict=True)), strict=True))
    found: list[tuple[str, bytes]] = []
    for compression in ("snappy", "zstd", "gzip", "none"):
        for dictionary in (True, False):
            file = io.BytesIO()
            parquet.write_table(
                pa.table(columns), file, compression=compression, use_dictionary=dictionary
            )
            found.append(("t.parquet", file.getvalue()))
    book = Workbook()
    for row in [("id", "x", "kind"), *rows]:
        book.worksheets[0].append(row)
    file = io.BytesIO()
    book.save(file)
    found.append(("t.xlsx", file.getvalue()))
    stored = io.BytesIO()  # a flipped bit of what is not packed is not noticed by its unpacking
    with zipfile.ZipFile(file) as before, zipfile.ZipFile(stored, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
    found.append(("t.xlsx", stored.getvalue()))
    text = "id,x,kind\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    lines = "".join(f'{{"id": {a}, "x": {b}, "kind": "{c}"}}\n' for a, b, c in rows)
    return [
        *found,
        ("t.csv", text.encode()),
        ("t.csv.gz", gzip.compress(text.encode())),
        ("t.jsonl", lines.encode()),
    ]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with a bit or some flipped, a piece lost, zeroed, repeated, or its end cut off."""
    at = rng.randrange(len(data))
    size = rng.choice([1, 4, 16, 256])
    piece = data[at : at + size]
    changed = bytearray(data)
    match rng.choice(["bit", "bits", "cut", "zero", "lost", "twice", "noise"]):
        case "bit":
            changed[at] ^= 1 << rng.randrange(8)
        case "bits":
            for _ in range(8):
                changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case "cut":
            del changed[at:]
        case "zero":
            changed[at : at + size] = bytes(len(piece))
        case "lost":
            del changed[at : at + size]
        case "twice":
            changed[at:at] = piece
        case _:
            changed[at : at + size] = rng.randbytes(len(piece))
    return bytes(changed)
