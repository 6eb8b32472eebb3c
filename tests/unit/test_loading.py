"""Which path serves a release: the fast one where it is proven, else the pipeline, and it is told.

Belongs here: loading a release from its files. Does not belong here: the bits of the fast path
(tests/unit/test_fast.py), or HTTP (tests/service/test_serve.py).
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leeway.data.frames import frame_of
from leeway.digests import canonical_json
from leeway.fast.model import from_bytes, to_bytes
from leeway.fast.trees import Trees
from leeway.served.inputs import inputs_of
from leeway.training.search import fit_final
from resources.settings import PROJECT
from resources.store import CorruptObject, LocalStore
from serving.loading import Loaded, Pointer, load
from tests.unit import release_files
from tests.unit.measured_penguins import PENGUINS, TABLE, TARGET
from tests.unit.release_files import files_of, put_manifest

NAME = release_files.NAME
INPUTS = inputs_of(TABLE, PENGUINS)


class Read:
    """The store, and the addresses that it was asked for."""

    def __init__(self, store: LocalStore) -> None:
        self.store = store
        self.asked: list[str] = []

    def get(self, uri: str, digest: str) -> bytes:
        self.asked.append(uri)
        return self.store.get(uri, digest)


class Released:
    """A release in a store; its files can be put in again as others."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(folder)
        fitted = fit_final(frame_of(TABLE, INPUTS), TARGET, PENGUINS, "decision_tree", {})
        contents, self.manifest = files_of(fitted, PENGUINS)
        self.manifest["files"] = release_files.put(self.store, contents)
        self.fast = contents["fast"]

    def put(self, name: str, data: bytes) -> None:
        self.manifest["files"] |= release_files.put(self.store, {name: data})

    def load(self) -> tuple[Loaded, list[str]]:
        """Loaded, and the names of the files that were read."""
        stored = put_manifest(self.store, self.manifest)
        read = Read(self.store)
        found = load(Pointer(NAME, 1, stored.digest, stored.uri), read)
        names = {each["uri"]: name for name, each in self.manifest["files"].items()}
        return found, [names[uri] for uri in read.asked[1:]]


@pytest.fixture
def released(tmp_path: Path) -> Released:
    return Released(tmp_path)


def answers(loaded: Loaded) -> Any:
    """What it answers to some rows; each answer has an id of its own."""
    names = [each.name for each in INPUTS]
    rows = [*TABLE.select(names).to_pylist()[::20], dict.fromkeys(names)]
    body = canonical_json({"instances": [*rows, rows[0] | {"body_mass_g": 9_000.0}]})
    said = json.loads(msgspec.json.encode(loaded.predict(loaded.contract.rows(body))))
    for each in said["predictions"]:
        each.pop("prediction_id")
    said.pop("release")
    return said


def test_what_is_proven_serves_without_the_pipeline(released: Released) -> None:
    """Which is most of the memory and of the start of a service."""
    loaded, read = released.load()
    assert "model" in read, "its digest counts"
    assert "pipeline" not in vars(loaded.by_pipeline), "nothing was made of it"
    assert loaded.told == released.manifest["fast"]
    assert (loaded.told["path"], loaded.told["test_rows"]) == ("fast", TABLE.num_rows)


def test_a_service_of_fast_paths_imports_no_library_that_fits(
    released: Released, tmp_path: Path
) -> None:
    """They take most of its start and more memory than a model."""
    loaded, _ = released.load()
    program = (
        "import json, sys; from pathlib import Path; import cli.serve\n"
        "from resources.store import LocalStore; from serving.loading import Pointer, load\n"
        "loaded = load(Pointer(*json.loads(sys.argv[2])), LocalStore(Path(sys.argv[1])))\n"
        "loaded.predict(loaded.contract.rows(sys.argv[3].encode()))\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    pointer = json.dumps([*vars(loaded.pointer).values()])
    body = canonical_json({"instances": [dict.fromkeys(each.name for each in INPUTS)]}).decode()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), pointer, body],
        capture_output=True, text=True, check=True, cwd=PROJECT,
    )  # fmt: skip
    imported = set(json.loads(done.stdout))
    assert imported & {"sklearn", "scipy", "pandas", "xgboost", "skops", "numba"} == set()
    assert "numpy" in imported


def test_a_release_without_a_fast_path_serves_by_its_pipeline_and_says_why(
    released: Released, caplog: pytest.LogCaptureFixture
) -> None:
    by_fast = answers(released.load()[0])
    del released.manifest["files"]["fast"]
    told = {"path": "pipeline", "reason": "not covered: imputation by NeighbourImputer"}
    released.manifest["fast"] = told
    with caplog.at_level(logging.WARNING):
        loaded, _ = released.load()
    assert loaded.told == told
    assert "not covered: imputation by NeighbourImputer" in caplog.text
    assert answers(loaded) == by_fast
    assert [len(each["warnings"]) for each in by_fast["predictions"]][-2:] == [0, 1]


def test_a_release_of_an_older_leeway_serves_by_its_pipeline(released: Released) -> None:
    del released.manifest["files"]["fast"], released.manifest["fast"]
    loaded, _ = released.load()
    assert loaded.told == {"path": "pipeline", "reason": "it was released by an older Leeway"}


def test_a_fast_path_that_has_other_bits_here_gives_way_to_the_pipeline(
    released: Released,
) -> None:
    """Another processor, or another version of a library: the golden rows find it."""
    fast = from_bytes(released.fast)
    assert isinstance(fast.model, Trees)
    leaves = fast.model.leaves * (1 + 2**-52)
    model = msgspec.structs.replace(fast.model, leaves=leaves)
    released.put("fast", to_bytes(msgspec.structs.replace(fast, model=model)))
    loaded, read = released.load()
    assert "model" in read
    assert loaded.told["path"] == "pipeline"
    assert "the prediction of golden row" in loaded.told["reason"]


def test_a_fast_path_that_cannot_be_read_gives_way_to_the_pipeline(released: Released) -> None:
    released.put("fast", released.fast[:-1])
    loaded, _ = released.load()
    assert loaded.told["path"] == "pipeline"
    assert "this is no fast path" in loaded.told["reason"]


def test_a_release_whose_fast_path_was_changed_is_refused(released: Released) -> None:
    """Not served by the pipeline: who can change one file can change others."""
    path = Path(released.manifest["files"]["fast"]["uri"].removeprefix("file://"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(CorruptObject):
        released.load()
