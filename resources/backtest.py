"""What a backtest reads: the other policy, clean batches and releases of the ledger.

Belongs here: reading them. Does not belong here: replaying (`leeway.backtest`), or the source of a
use case that was never materialized (`resources.backtest_source`). Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from leeway.backtest.errors import CannotBacktest
from leeway.backtest.models import Recipe
from leeway.backtest.policy import Policy, policy_of
from leeway.backtest.recorded import Loaded, RecordedRelease
from leeway.drift.stored import Stored, from_bytes
from leeway.spec import UseCase
from resources.ledger import Ledger
from resources.releases import Release, Releases
from resources.settings import Settings
from resources.store import LocalStore
from resources.yaml_files import read_yaml

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Material:
    """Clean rows and profiles by batch, in the order in which the batches came, and releases.

    `releases` are those that a replay can take, oldest first; `recipe` is that of the first.
    `left_out` are batches of which too many rows were rejected, which `notes` say, too.
    """

    tables: dict[str, pa.Table]
    stored: dict[str, Stored]
    releases: tuple[RecordedRelease, ...] = ()
    recipe: Recipe | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def read_policy(path: Path, use_case: UseCase) -> Policy:
    """The policy of a file; what it leaves out is today's.

    Raises:
        CannotBacktest: when it cannot be read, or is none, with the line or the field.
    """
    try:
        content = read_yaml(path)
    except OSError as error:
        raise CannotBacktest(f"{path}: {error.strerror}; name a file that you may read") from error
    except UnicodeDecodeError as error:
        told = f"byte {error.start + 1} is not UTF-8 ({error.reason}); save the file as UTF-8"
        raise CannotBacktest(f"{path}: {told}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise CannotBacktest(f"{path}: {error}") from error
    return policy_of(content, use_case, path)


def recorded_material(name: str, use_case: UseCase, settings: Settings) -> Material:
    """What the ledger holds of a use case; empty where it was never materialized.

    A batch of which too many rows were rejected is left out, as it is of every training.
    """
    from leeway.data.tables import from_parquet

    ledger, store = Ledger(settings), LocalStore(settings.store_root)
    commits = ledger.every_current(name)
    order = [batch for batch in ledger.batches(name) if ("profile", batch) in commits]
    given = {batch: commits["raw", batch].facts for batch in order if ("raw", batch) in commits}
    left_out = [
        batch for batch, raw in given.items() if is_left_out(raw["rejected"], raw["rows"], use_case)
    ]
    tables, stored = {}, {}
    for batch in order:
        if batch not in left_out and ("clean", batch) in commits:
            clean, profile = commits["clean", batch], commits["profile", batch]
            tables[batch] = from_parquet(store.get(clean.uri, clean.digest))
            stored[batch] = from_bytes(store.get(profile.uri, profile.digest))
    manifests = _manifests(name, use_case, settings, store)
    return Material(
        tables,
        stored,
        tuple(_release(release, manifest, store) for release, manifest in manifests),
        _recipe(manifests[0][1], store) if manifests else None,
        told_of(left_out),
        tuple(left_out),
    )


def is_left_out(rejected: int, rows: int, use_case: UseCase) -> bool:
    """Whether a batch is in no training, because too many of its rows were rejected."""
    return rejected > use_case.max_rejected * rows


def told_of(left_out: Sequence[str]) -> tuple[str, ...]:
    """The note on such batches; none where there is none."""
    told = f"left out, because too many of their rows were rejected: {', '.join(left_out)}"
    return (told,) if left_out else ()


def _manifests(
    name: str, use_case: UseCase, settings: Settings, store: LocalStore
) -> list[tuple[Release, dict[str, Any]]]:
    """Releases from the first that was promoted on, whose models read what a row has now."""
    from leeway.manifest import fits

    releases = Releases(settings)
    served = {move["version"] for move in releases.moves(name)}
    found: list[tuple[Release, dict[str, Any]]] = []
    for release in releases.every(name):
        manifest = json.loads(store.get(str(release.facts["uri"]), release.digest))
        if fits(manifest, use_case) and (found or release.version in served):
            found.append((release, manifest))
    return found


def _release(release: Release, manifest: Mapping[str, Any], store: LocalStore) -> RecordedRelease:
    def load() -> Loaded:
        from leeway.data.tables import from_parquet
        from leeway.prediction import Model, Threshold
        from leeway.training.model_file import load_model

        files = manifest["files"]

        def read(file: str) -> bytes:
            return store.get(str(files[file]["uri"]), str(files[file]["digest"]))

        threshold = Threshold.from_dict(manifest["threshold"])
        return Loaded(
            Model(load_model(read("model")), manifest["classes"], threshold),
            from_parquet(read("training_set")),
            from_bytes(read("reference_profile")),
        )

    seconds = (release.facts.get("training") or {}).get("training_seconds")
    return RecordedRelease(release.version, tuple(manifest["batches"]), seconds, load)


def _recipe(manifest: Mapping[str, Any], store: LocalStore) -> Recipe:
    entry = manifest["files"]["model_selection"]
    choices = json.loads(store.get(str(entry["uri"]), str(entry["digest"])))["choices"]
    return Recipe(manifest["algorithm"], manifest["parameters"], choices)
