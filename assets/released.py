"""Reading a release: what drift, predictions and comparisons need of the champion.

Belongs here: the champion as an input of a node, its files, and the batches that a node holds
against it. Does not belong here: making a release (`assets.release`).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg

from assets.stage import Input, Stage, Work, batches_of, begin
from leeway.plan import label
from resources.platform import Platform
from resources.releases import Release


@dataclass(frozen=True)
class Champion:
    """The release that serves, with its manifest read and verified."""

    release: Release
    manifest: dict[str, Any]
    platform: Platform

    @cached_property
    def pipeline(self) -> Any:
        """The fitted pipeline; its digest is verified before it is parsed."""
        from leeway.training.model_file import load_model

        entry = self.manifest["files"]["model"]
        return load_model(self.platform.store.get(entry["uri"], entry["digest"]))

    @property
    def digest(self) -> str:
        """Digest of the manifest."""
        return self.release.digest

    @property
    def uri(self) -> str:
        """Where the manifest is."""
        return str(self.release.facts["uri"])


def champion_of(platform: Platform, use_case: str) -> Champion | None:
    """The champion, or None when no release was ever promoted."""
    return _read(platform, platform.releases.champion(use_case))


def release_of(platform: Platform, use_case: str, version: int) -> Champion | None:
    """A release as if it were champion, or None when it is not recorded."""
    found = (each for each in platform.releases.every(use_case) if each.version == version)
    return _read(platform, next(found, None))


def rival_of(platform: Platform, use_case: str, training_key: str) -> Champion | None:
    """The champion that a training is compared with, or None when there was none.

    Of the training that made the champion itself it is the champion before it: a release that is
    made again, after a crash for one, says what it said the first time.
    """
    champion = platform.releases.champion(use_case)
    if champion is None or champion.training_key != training_key:
        return _read(platform, champion)
    releases = {release.version: release for release in platform.releases.every(use_case)}
    moves = [m for m in platform.releases.moves(use_case) if m["version"] == champion.version]
    return _read(platform, releases.get(moves[-1]["previous_version"]))  # the oldest is the last


def _read(platform: Platform, release: Release | None) -> Champion | None:
    if release is None:
        return None
    data = platform.store.get(str(release.facts["uri"]), release.digest)
    return Champion(release, json.loads(data), platform)


@dataclass(frozen=True)
class Batch:
    """One batch of a run that a node holds against the champion."""

    name: str
    stage: Stage
    champion: Champion
    platform: Platform
    context: dg.AssetExecutionContext
    live: bool = False  # a window of live traffic

    def begin(self, node: str, *upstream: str) -> Work:
        """Begins an attempt at a node that reads the champion, and these nodes of the batch.

        Raises:
            LookupError: when one was never materialized, with the command that does it.
        """
        inputs: dict[str, Input] = {
            label(each, self.name): self.platform.ledger.require(self.stage.name, each, self.name)
            for each in upstream
        }
        inputs["release"] = self.champion
        return begin(self.stage, self.platform, self.context, node, self.name, inputs)


def node_of_batches(
    stage: Stage,
    name: str,
    description: str,
    kind: str,
    materialize: Callable[[Batch], dict[str, Any]],
    *,
    without: str,
) -> dg.AssetsDefinition:
    """The asset of a node that holds each batch of a run against the champion.

    Args:
        stage: the use case.
        name: of the node.
        description: begins with the grain, what one row is.
        kind: technology, which the UI shows as an icon.
        materialize: does it for one batch, and returns the metadata to show.
        without: what follows where no release was promoted, for the log.
    """
    live = stage.node(name).live

    @stage.asset(name, description, kind, required=False)
    def materialized(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult[None]]:
        champion = champion_of(platform, stage.name)
        if champion is None:
            context.log.warning("no release was promoted, so %s", without)
            return
        for batch in batches_of(context):
            metadata = materialize(Batch(batch, stage, champion, platform, context, live))
            context.add_asset_metadata(metadata, stage.key(name), partition_key=batch)
        yield dg.MaterializeResult(metadata=metadata)

    return materialized
