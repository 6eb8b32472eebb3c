"""The copies that a service keeps of what it serves."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from resources.store import LocalStore
from serving.champions import UNREAD_SECONDS, Copies


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_what_is_held_or_was_read_stays_and_the_rest_goes_after_a_day(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    copies = Copies(tmp_path / "serving", store)
    held, read, old = (store.put("models", "u", "json", data) for data in (b"a", b"b", b"c"))
    for each in (held, read, old):
        copies.get(each.uri, each.digest)
    objects = tmp_path / "serving" / "objects"
    copies.sweep([], time.time())
    assert len(list(objects.iterdir())) == 3
    later = time.time() + UNREAD_SECONDS + 60
    file = objects / read.digest.removeprefix("sha256:")
    copies.sweep([held.digest], later - 120)
    assert len(list(objects.iterdir())) == 3
    os.utime(file, (later, later))
    copies.sweep([held.digest], later)
    left = {each.name for each in objects.iterdir()}
    assert left == {each.digest.removeprefix("sha256:") for each in (held, read)}


def test_a_copy_that_was_changed_is_fetched_again(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    copies = Copies(tmp_path / "serving", store)
    stored = store.put("models", "u", "json", b"right")
    copies.get(stored.uri, stored.digest)
    copy = tmp_path / "serving" / "objects" / digest_of(b"right").removeprefix("sha256:")
    copy.write_bytes(b"wrong")
    assert copies.get(stored.uri, stored.digest) == b"right"
    Path(stored.uri.removeprefix("file://")).unlink()
    assert copies.get(stored.uri, stored.digest) == b"right", "the copy was mended"
    copy.unlink()
    with pytest.raises(FileNotFoundError):
        copies.get(stored.uri, stored.digest)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[1]", b'{"a": 1}', b'{"a": {"version": 1}}']
)
def test_a_record_that_is_none_says_nothing(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    copies = Copies(tmp_path, LocalStore(tmp_path / "store"))
    (tmp_path / "champions.json").write_bytes(content)
    assert copies.last() == {}
    assert "does not say what was served last" in caplog.text
