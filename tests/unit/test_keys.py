"""How keys are kept: as hashes, one file each, found in constant time."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources.keys import Keys, NoSuchKey, Ring
from tests.faults.harness import LONG, figure

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LOOKS = max(2_000, 100 * LONG)


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
    """Texts that share nothing with the key against texts with all but the last characters.

    Each has a time of its own, by where it is in memory: what counts is whether the two kinds
    differ by more than texts of one kind do. The control compares a character at a time.
    """
    text, key = Keys(tmp_path).make("predict", "", NOW)
    ring = Ring(Keys(tmp_path))
    ring.find(text, 0.0)
    found = welch(text, key.id, lambda shown: ring.find(shown, 0.0))
    figure(
        "keys: Welch's t between texts that share nothing with a key and texts that share all but "
        f"the last characters, {LOOKS:,} looks at each of ten: {found:.1f}"
    )
    assert abs(found) < 6
    assert abs(welch(text, key.id, lambda shown: naive(shown, text))) > 6


def naive(shown: str, known: str) -> bool:
    """Stops where they differ."""
    return all(one == other for one, other in zip(shown, known, strict=True))


def welch(text: str, identity: str, look: Callable[[str], object]) -> float:
    """Welch's t of the mean times of ten texts of each kind."""
    draw = random.Random(1)
    head = f"leeway_{identity}_"
    far = [head + "".join(draw.choices("-_.~", k=43)) for _ in range(10)]
    near = [text[:-2] + f"{n:02}" for n in range(10)]
    times: dict[str, list[int]] = {each: [] for each in far + near}
    for _ in range(LOOKS):
        for shown in draw.sample(far + near, 20):
            started = time.perf_counter_ns()
            look(shown)
            times[shown].append(time.perf_counter_ns() - started)
    middle = {shown: statistics.median(found) for shown, found in times.items()}
    one, other = ([middle[shown] for shown in kind] for kind in (far, near))
    error = ((statistics.variance(one) + statistics.variance(other)) / 10) ** 0.5
    return float((statistics.fmean(one) - statistics.fmean(other)) / max(error, 0.1))
