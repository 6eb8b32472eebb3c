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
    release = platform.releases.champion(use_case)
    if release is None:
        return None
    data = platform.store.get(str(release.facts["uri"]), release.digest)
    return Champion(release, json.loads(data))


def load_pipeline(platform: Platform, manifest: dict[str, Any]) -> Any:
    """The fitted pipeline of a release; its digest is verified before it is parsed."""
    from leeway.training.model_file import load_model

    entry = manifest["files"]["model"]
    return load_model(platform.store.get(entry["uri"], entry["digest"]))
