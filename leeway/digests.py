"""Content digests: one canonical form of JSON, and SHA-256 over it.

Belongs here: how a value becomes bytes and a digest. Does not belong here: what a digest is of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def canonical_json(value: object) -> bytes:
    """`value` as JSON with sorted keys and no spaces: equal values give equal bytes.

    Raises:
        ValueError: when the value holds NaN or an infinity, which JSON has no form for.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    ).encode()


def digest_of(value: object) -> str:
    """SHA-256 of the canonical JSON, as `sha256:` and 64 hexadecimal digits.

    Lists and objects delimit their parts, so that ["ab", "c"] and ["a", "bc"] differ.
    """
    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def digest_of_files(paths: Iterable[Path]) -> str:
    """Digest of the names and contents of files, whatever order they come in."""
    contents = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    return digest_of(sorted(contents))
