"""Hostile files in the place of a release's: none of them runs, whoever vouches for its digest.

Belongs here: files that the ledger names, so that their digests are right, and that would run code
or leave their folder if they were believed. Does not belong here: files that were changed
afterwards (test_service_corrupted.py), or the rule that forbids pickle
(tests/unit/test_imports.py).

Reliability matrix, X4. Each payload would make a file, the canary; the control shows that it does
where it is loaded as its author hopes.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle  # noqa: TID251  # its payloads are what is refused
import subprocess
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skops.io
import yaml
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from leeway.digests import canonical_json
from resources.settings import Settings
from resources.store import LocalStore
from serving.loading import Pointer, load
from tests.faults.harness import LONG, figure, zero
from tests.faults.released import FILES, Made, make
from tests.project_copy import NAME

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


class Touch:
    """What pickle makes of it runs."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.canary)!r}, 'w').close()",)


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def schema_of(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found: dict[str, Any] = json.loads(archive.read("schema.json"))
    return found


def array_of(value: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([value], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def parquet_of(pickled: bytes) -> bytes:
    """A column of the extension type that once was unpickled when a file was opened."""
    about = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickled,
    }
    table = pa.table([pa.array([1])], schema=pa.schema([pa.field("a", pa.int64(), metadata=about)]))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def payloads(canary: Path) -> dict[str, bytes]:
    """By what they are; each makes the canary where it is believed."""
    pickled, source = pickle.dumps(Touch(canary)), f"open({str(canary)!r}, 'w').close()"
    transformer = FunctionTransformer(func=partial(np.savetxt, str(canary), fmt="%s"))
    believed = skops.io.dumps(Pipeline([("preprocess", transformer), ("model", transformer)]))
    schema, call = schema_of(believed), {"__class__": "exec", "__module__": "builtins"}
    mlmodel = b"flavors:\n  python_function:\n    loader_module: evil\n    code: code\n"
    return {
        "pickle": pickled,
        "pickle of protocol 0": pickle.dumps(Touch(canary), protocol=0),
        "pickle, packed by gzip": gzip.compress(pickled),
        "pickle, packed by zlib as joblib does": zlib.compress(pickled),
        "pickle in a zip": zipped(**{"model.pkl": pickled, "schema.json": b"{}"}),
        "skops that writes what it is asked": believed,
        "skops with a list of what to trust": zipped(
            **{"schema.json": json.dumps(schema | {"trusted": ["numpy.savetxt"]}).encode()}
        ),
        "skops whose root is exec": zipped(
            **{"schema.json": json.dumps(call | {"__loader__": "TypeNode"}).encode()}
        ),
        "skops with a function node": zipped(
            **{
                "schema.json": json.dumps(
                    call | {"__loader__": "FunctionNode", "content": "exec", "__id__": 1}
                ).encode()
            }
        ),
        "skops that reduces": zipped(
            **{
                "schema.json": json.dumps(
                    call
                    | {"__loader__": "ReduceNode", "__id__": 1, "reduce": {"args": [source]}}
                    | {"content": [source]}
                ).encode()
            }
        ),
        "skops with an array of objects": zipped(
            **{
                "schema.json": json.dumps(
                    {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode"}
                    | {"type": "numpy", "file": "a.npy", "__id__": 1}
                ).encode(),
                "a.npy": array_of(Touch(canary)),
            }
        ),
        "numpy array of objects": array_of(Touch(canary)),
        "MLflow's folder with a module of its own": zipped(
            **{"MLmodel": mlmodel, "code/evil.py": source.encode()}
        ),
        "zip that climbs out": zipped(**{f"../../../../../..{canary}": b"", "schema.json": b"{}"}),
        "parquet with a pickled type": parquet_of(pickled),
        "msgpack with an extension": msgspec.msgpack.encode(msgspec.msgpack.Ext(42, pickled)),
        "jsonpickle": json.dumps(
            {"py/reduce": [{"py/function": "builtins.exec"}, {"py/tuple": [source]}]}
        ).encode(),
        "yaml that calls": f"!!python/object/apply:builtins.exec [{json.dumps(source)}]".encode(),
        "python": source.encode(),
        "shell": f"#!/bin/sh\ntouch {canary}\n".encode(),
    }


def released_with(store: LocalStore, made: Made, name: str, payload: bytes) -> Pointer:
    """The release with a payload in the place of a file, and digests that are right."""
    stored = store.put("models", NAME, "bin", payload)
    if name != "manifest":
        entry = {"digest": stored.digest, "uri": stored.uri}
        files = made.manifest["files"] | {name: entry}
        stored = store.put("models", NAME, "json", canonical_json(made.manifest | {"files": files}))
    return Pointer(NAME, 1, stored.digest, stored.uri)


def outcome(pointer: Pointer, store: LocalStore) -> str:
    """What becomes of a release; where it is served, also by its pipeline."""
    try:
        loaded = load(pointer, store)
        loaded.predict([loaded.contract.instance()])
    except Exception:
        return "refused"
    try:
        loaded.by_pipeline.predict([loaded.contract.instance()])
    except Exception:
        return "its pipeline refused"
    return "served without it"


def test_no_payload_runs_in_the_place_of_any_file(fresh: Settings, tmp_path: Path) -> None:
    made, store = make(fresh, 1), LocalStore(fresh.store_root)
    canary = tmp_path / "canary"
    found: Counter[str] = Counter()
    files = FILES if LONG else ("manifest", "model")
    for kind, payload in payloads(canary).items():
        for name in files:
            found[outcome(released_with(store, made, name, payload), store)] += 1
            assert not canary.exists(), f"{kind} ran in the place of {name}"
    kinds = len(payloads(canary))
    figure(
        f"payloads: {kinds} in the place of each of {len(files)} files: "
        f"{zero(found.total(), 'ran')}; {dict(sorted(found.items()))}; {len(BELIEVED)} of {kinds} "
        f"run where they are believed (control), {len(WITHOUT_CONTROL)} nowhere that we know"
    )
    assert found["served without it"] <= kinds, "of a fast path that is none, the pipeline serves"


def trusting(data: bytes) -> None:
    """skops, with all that the file asks for on its list."""
    pipeline = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    pipeline.named_steps["preprocess"].transform([["a row"]])


def member(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


def unpacked(data: bytes) -> None:
    """As who joins the names of an archive to a folder."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, TemporaryDirectory() as folder:
        for name in archive.namelist():
            Path(folder, name).write_bytes(archive.read(name))


def reduced(data: bytes) -> None:
    """As jsonpickle reads it."""
    function, arguments = json.loads(data)["py/reduce"]
    module, _, name = function["py/function"].rpartition(".")
    getattr(import_module(module), name)(*arguments["py/tuple"])


def of_column(data: bytes) -> object:
    """As pyarrow before its version 14 opened a file."""
    metadata = pq.read_schema(io.BytesIO(data)).field(0).metadata
    return pickle.loads(metadata[b"ARROW:extension:metadata"])  # noqa: S301  # the control


# Each is loaded as its author hopes; the marks of ruff are what a review would find.
BELIEVED: dict[str, Callable[[bytes], object]] = {
    "pickle": pickle.loads,
    "pickle of protocol 0": pickle.loads,
    "pickle, packed by gzip": lambda data: pickle.loads(gzip.decompress(data)),  # noqa: S301
    "pickle, packed by zlib as joblib does": lambda data: pickle.loads(zlib.decompress(data)),  # noqa: S301
    "pickle in a zip": lambda data: pickle.loads(member(data, "model.pkl")),  # noqa: S301
    "skops that writes what it is asked": trusting,
    "skops with a list of what to trust": trusting,
    "numpy array of objects": lambda data: np.load(io.BytesIO(data), allow_pickle=True),
    "MLflow's folder with a module of its own": lambda data: exec(  # noqa: S102
        member(data, "code/evil.py")
    ),
    "zip that climbs out": unpacked,
    "parquet with a pickled type": of_column,
    "msgpack with an extension": lambda data: msgspec.msgpack.decode(
        data,
        ext_hook=lambda _, content: pickle.loads(content),  # noqa: S301
    ),
    "jsonpickle": reduced,
    "yaml that calls": yaml.unsafe_load,
    "python": exec,
    "shell": lambda data: subprocess.run(["sh"], input=data, check=True),
}
# Nothing that we know makes them run: the skops that is installed does not, whatever it trusts.
WITHOUT_CONTROL = {
    "skops whose root is exec",
    "skops with a function node",
    "skops that reduces",
    "skops with an array of objects",
}


@pytest.mark.parametrize("kind", BELIEVED)
def test_the_canary_is_made_where_a_payload_is_believed(kind: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    BELIEVED[kind](payloads(canary)[kind])
    assert canary.exists()


def test_every_payload_has_a_control_or_is_named_as_one_that_has_none(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    made = payloads(canary)
    assert set(made) == set(BELIEVED) | WITHOUT_CONTROL
    for kind in WITHOUT_CONTROL:
        with suppress(Exception):
            trusting(made[kind])
        assert not canary.exists(), f"{kind} has a control now"
