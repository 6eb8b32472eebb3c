"""Reading a release: what drift, predictions and comparisons need of the champion.

Belongs here: the champion as an input of a node, and its files. Does not belong here: making a
release (`assets.release`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from resources.platform import Platform
from resources.releases import Release


@dataclass(frozen=True)
class Champion:
    """The release that serves, with its manifest read and verified."""

    release: Release
    manifest: dict[str, Any]

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
    return Champion(release, json.loads(data))


def load_pipeline(platform: Platform, manifest: dict[str, Any]) -> Any:
    """The fitted pipeline of a release; its digest is verified before it is parsed."""
    from leeway.training.model_file import load_model

    entry = manifest["files"]["model"]
    return load_model(platform.store.get(entry["uri"], entry["digest"]))
