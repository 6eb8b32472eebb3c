"""Small releases of the penguins, made within a second by the functions that make real ones.

Belongs here: fitting, the files of a release, and its record in the ledger. Does not belong here:
what a test does with them. A release of the whole graph, with its reports, takes a minute: tests
that need one have the fixture `installed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from leeway.data.frames import frame_of
from leeway.digests import canonical_json
from leeway.fast.proof import proven_fast_path
from leeway.served.golden import golden_of, golden_rows
from leeway.served.golden import to_bytes as golden_bytes
from leeway.served.inputs import inputs_of
from leeway.spec import UseCase
from leeway.training.model_file import save_model
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

INPUTS = inputs_of(TABLE, PENGUINS)
CLASSES = ["Adelie", "Chinstrap", "Gentoo"]
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
    inputs = inputs_of(TABLE, use_case)
    kept = [row for row in range(TABLE.num_rows) if row % 7 != version % 7 or row % 2]
    frame = frame_of(TABLE, inputs)
    fitted = fit_final(frame.iloc[kept], TARGET[kept], use_case, algorithm, parameters)
    golden = golden_of(fitted, golden_rows(TABLE, inputs, version), inputs)
    fast, told = proven_fast_path(fitted, golden, TABLE, inputs)
    assert fast is not None, told
    coverage = 0.9 - 0.01 * version
    described = [replace(each, description=f"in version {version}") for each in inputs]
    calibration = {
        "task": "classification", "coverage": coverage, "rows": 100, "threshold": 0.5,
        "classes": CLASSES, "reason": None,
    }  # fmt: skip
    contents = {
        "model": save_model(fitted),
        "inputs": canonical_json([each.as_dict() for each in described]),
        "golden": golden_bytes(golden),
        "fast": fast,
        "explainers": canonical_json({"calibration": calibration}),
    }
    store = LocalStore(settings.store_root)
    stored = {name: store.put("models", NAME, "bin", data) for name, data in contents.items()}
    manifest = {
        "use_case": NAME, "version": version, "classes": CLASSES, "threshold": None, "fast": told,
        "title": "Penguins", "task": "classification", "algorithm": algorithm,
        "metrics": {}, "decision": {}, "batches": ["b"], "coverage": coverage,
        "libraries": {"scikit-learn": "1.9"},
        "columns": [{"name": "species", "role": "target", "unit": None}],
        "files": {n: {"digest": each.digest, "uri": each.uri} for n, each in stored.items()},
    }  # fmt: skip
    of_manifest = store.put("models", NAME, "json", canonical_json(manifest))
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
