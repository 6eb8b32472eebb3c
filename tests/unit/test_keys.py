"""How keys are kept: as hashes, one file each, found in constant time."""

from __future__ import annotations

import random
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.keys import Keys, NoSuchKey, Ring

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_key_is_found_by_its_text_and_by_nothing_else(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    text, key = keys.make("predict", "dashboard", NOW)
    ring = Ring(keys)
    assert ring.find(text, 0.0) == key
    for other in (text[:-1], f"{text}x", text.upper(), "", "leeway_", key.sha256, key.id):
        assert ring.find(other, 0.0) is None
    assert len(text.split("_", 2)[2]) == 43, "256 bits in base 64"
    assert text.split("_", 2)[2] not in (keys.folder / f"{key.id}.json").read_text()
    assert (keys.folder / f"{key.id}.json").stat().st_mode & 0o077 == 0, "for its owner alone"
    assert keys.folder.stat().st_mode & 0o077 == 0


def test_admin_may_what_predict_may_and_not_the_other_way(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    made = {scope: keys.make(scope, "", NOW)[1] for scope in ("predict", "admin")}  # type: ignore[arg-type]
    assert made["admin"].may("predict")
    assert made["admin"].may("admin")
    assert made["predict"].may("predict")
    assert not made["predict"].may("admin")


def test_a_ring_reads_again_after_a_second(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    ring = Ring(keys)
    assert ring.find("leeway_x_y", 0.0) is None
    text, key = keys.make("predict", "", NOW)
    assert ring.find(text, 0.9) is None
    assert ring.find(text, 1.0) == key
    keys.revoke(key.id)
    assert ring.find(text, 1.9) == key
    assert ring.find(text, 2.0) is None


def test_a_file_that_is_no_key_is_told_and_the_others_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(tmp_path)
    _, key = keys.make("admin", "", NOW)
    (keys.folder / "0123456789ab.json").write_text("{")
    (keys.folder / "ba9876543210.json").write_text((keys.folder / f"{key.id}.json").read_text())
    assert keys.every() == [key], "one under the name of another is none"
    assert "0123456789ab.json is no key" in caplog.text


@pytest.mark.parametrize("identity", ["", "..", "../x", "0123456789ab", "0123456789AB", "x" * 300])
def test_only_a_key_is_revoked(tmp_path: Path, identity: str) -> None:
    keys = Keys(tmp_path)
    (tmp_path / "x.json").write_text("{}")
    _, key = keys.make("admin", "", NOW)
    with pytest.raises(NoSuchKey, match=f"there are: {key.id}"):
        keys.revoke(identity)
    assert keys.every() == [key]
    assert (tmp_path / "x.json").exists()


def test_the_time_of_a_comparison_does_not_tell_how_much_of_a_key_is_right(tmp_path: Path) -> None:
    """Welch's t of texts that share nothing with the key, and all but the last character."""
    keys = Keys(tmp_path)
    text, key = keys.make("predict", "", NOW)
    ring = Ring(keys)
    ring.find(text, 0.0)
    head = f"leeway_{key.id}_"
    far, near = head + "-" * 43, text[:-1] + ("A" if text[-1] != "A" else "B")
    times: dict[str, list[int]] = {far: [], near: []}
    draw = random.Random(1)
    for _ in range(20_000):
        for shown in draw.sample((far, near), 2):
            started = time.perf_counter_ns()
            ring.find(shown, 0.0)
            times[shown].append(time.perf_counter_ns() - started)
    kept = [sorted(found)[: len(found) * 9 // 10] for found in times.values()]  # but interruptions
    means = [statistics.fmean(each) for each in kept]
    error = sum(statistics.variance(each) / len(each) for each in kept) ** 0.5
    assert abs(means[0] - means[1]) / error < 10
