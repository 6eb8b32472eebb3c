"""The files of a small release of the penguins, as a release makes them.

Belongs here: what is in the files and the manifest. Does not belong here: fitting, a record in the
ledger (tests/faults/released.py), or what a test does with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leeway.digests import canonical_json
from leeway.fast.proof import proven_fast_path
from leeway.served.golden import golden_of, golden_rows
from leeway.served.golden import to_bytes as golden_bytes
from leeway.served.inputs import inputs_of
from leeway.spec import UseCase
from leeway.training.model_file import save_model
from resources.store import LocalStore, StoredObject
from tests.unit.measured_penguins import TABLE

NAME = "penguins"
CLASSES = ["Adelie", "Chinstrap", "Gentoo"]


def files_of(
    fitted: Any, use_case: UseCase, version: int = 1, coverage: float = 0.9
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Each file by its name, and the manifest without them; another version has other files."""
    inputs = inputs_of(TABLE, use_case)
    golden = golden_of(fitted, golden_rows(TABLE, inputs, version), inputs)
    fast, told = proven_fast_path(fitted, golden, TABLE, inputs)
    assert fast is not None, told
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
    manifest = {
        "use_case": NAME, "version": version, "classes": CLASSES, "threshold": None, "fast": told,
        "title": "Penguins", "task": "classification", "algorithm": "any",
        "metrics": {}, "decision": {}, "batches": ["b"], "coverage": coverage,
        "libraries": {"scikit-learn": "1.9"},
        "columns": [{"name": "species", "role": "target", "unit": None}],
    }  # fmt: skip
    return contents, manifest


def put(store: LocalStore, contents: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """Stores files; what a manifest says of each."""
    stored = {name: store.put("models", NAME, "bin", data) for name, data in contents.items()}
    return {name: {"digest": each.digest, "uri": each.uri} for name, each in stored.items()}


def put_manifest(store: LocalStore, manifest: Mapping[str, Any]) -> StoredObject:
    """Stores a manifest, which then is the release."""
    return store.put("models", NAME, "json", canonical_json(manifest))
