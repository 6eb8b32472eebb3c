"""Small releases of the penguins, made within a second by the functions that make real ones.

Belongs here: fitting, and the record in the ledger. Does not belong here: the files
(tests/unit/release_files.py), or what a test does with them. A release of the whole graph, with its
reports, takes a minute: tests that need one have the fixture `installed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from leeway.data.frames import frame_of
from leeway.digests import canonical_json
from leeway.served.inputs import inputs_of
from leeway.spec import UseCase
from leeway.training.search import fit_final
from resources.moves import promote
from resources.postgres import transaction
from resources.releases import Release, Releases
from resources.settings import PROJECT, Settings
from resources.store import LocalStore
from tests.installed import Installed
from tests.project_copy import NAME
from tests.service.service import Client, ready
from tests.unit.measured_penguins import PENGUINS, TABLE, TARGET
from tests.unit.release_files import CLASSES, files_of, put, put_manifest

FILES = ("manifest", "model", "inputs", "golden", "fast", "explainers")
INPUTS = inputs_of(TABLE, PENGUINS)
ROWS: list[dict[str, Any]] = TABLE.select([each.name for each in INPUTS]).to_pylist()
BODIES = [canonical_json({"instances": [row]}) for row in ROWS]


@dataclass(frozen=True)
class Made:
    """A release: its manifest, and what it answers to each of ROWS."""

    version: int
    digest: str
    uri: str
    manifest: dict[str, Any]
    probabilities: list[dict[str, float]]
    pipeline: Any

    def answers(self, text: str, row: int) -> bool:
        """Whether an answer is the one that this release gives for a row, in each of its parts."""
        found = json.loads(text)
        (prediction,) = found["predictions"]
        shares = prediction["probabilities"]
        return bool(
            (found["model_version"], found["release"]) == (self.version, self.digest)
            and found["coverage"] == self.manifest["coverage"]
            and shares == self.probabilities[row]
            and prediction["prediction"] == max(CLASSES, key=shares.__getitem__)
        )


def make(
    settings: Settings,
    version: int,
    use_case: UseCase = PENGUINS,
    algorithm: str = "logistic_regression",
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> Made:
    """Fits, stores and records one version; each has other files than all others."""
    kept = [row for row in range(TABLE.num_rows) if row % 7 != version % 7 or row % 2]
    frame = frame_of(TABLE, inputs_of(TABLE, use_case))
    fitted = fit_final(frame.iloc[kept], TARGET[kept], use_case, algorithm, parameters)
    contents, manifest = files_of(fitted, use_case, version, 0.9 - 0.01 * version)
    store = LocalStore(settings.store_root)
    manifest |= {"algorithm": algorithm, "files": put(store, contents)}
    of_manifest = put_manifest(store, manifest)
    recorded = Release(
        use_case=NAME, version=version, digest=of_manifest.digest, training_key=f"key {version}",
        algorithm=algorithm, verdict="promote", reason="for a test",
        facts={"batches": ["b"], "awaits_person": False, "uri": of_manifest.uri},
        incident=None, run_id="", released_at=datetime.now(UTC),
    )  # fmt: skip
    with transaction(settings) as cursor:
        Releases(settings).record(cursor, recorded)
    alone = [fitted.predict_proba(frame.iloc[row : row + 1])[0] for row in range(len(ROWS))]
    probabilities = [dict(zip(CLASSES, each.tolist(), strict=True)) for each in alone]
    return Made(version, of_manifest.digest, of_manifest.uri, manifest, probabilities, fitted)


def make_champion(settings: Settings, version: int) -> None:
    """Moves the champion, as `leeway promote` does."""
    promote(Releases(settings), NAME, version, "tests", "for a test")


@contextmanager
def served(settings: Settings, *arguments: str, **variables: str) -> Iterator[Client]:
    """A service of an installation, when its models are loaded."""
    address = settings.database_url
    assert address is not None
    variables = {"LEEWAY_DATABASE_URL": address.get_secret_value()} | variables
    with ready(Installed(PROJECT, settings.home), *arguments, **variables) as found:
        yield found
