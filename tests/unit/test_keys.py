"""How keys are kept: as hashes, one file each, found in constant time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from resources.keys import Keys, NoSuchKey, Ring
from tests.faults.harness import LONG, figure

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LOOKS = 100_000 if LONG else 10_000


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


@pytest.mark.faults
def test_the_time_of_a_comparison_does_not_tell_how_much_of_a_key_is_right(tmp_path: Path) -> None:
    """Texts that share nothing with the key against one that shares all but its last characters.

    Welch's t of the times themselves, of which those that an interrupt made long are left out, as
    dudect does it (Reparaz, Balasch and Verbauwhede 2017). The control compares a character at a
    time.
    """
    text, key = Keys(tmp_path).make("predict", "", NOW)
    ring = Ring(Keys(tmp_path))
    ring.find(text, 0.0)
    found = welch(text, key.id, lambda shown: ring.find(shown, 0.0))
    control = welch(text, key.id, lambda shown: naive(shown, text))
    figure(
        "keys: Welch's t between the times of texts that share nothing with a key and of such that "
        f"share all but the last characters, {LOOKS:,} of each: {found:.1f}; of a comparison that "
        f"stops where they differ {control:.0f} (control)"
    )
    assert abs(found) < 4.5
    assert abs(control) > 4.5


def naive(shown: str, known: str) -> bool:
    """Stops where they differ."""
    return all(one == other for one, other in zip(shown, known, strict=True))


def welch(text: str, identity: str, look: Callable[[str], object]) -> float:
    """Welch's t of the times of texts of both kinds, in turns that are drawn.

    Both are made in the same way, and just before the look, so that they differ by nothing else.
    """
    draw = random.Random(1)
    head, right = f"leeway_{identity}_", text.split("_", 2)[2][:-2]
    wrong = "".join("-" if each != "-" else "_" for each in right)
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(2 * LOOKS):
        kind = draw.randrange(2)
        shown = f"{head}{(wrong, right)[kind]}{draw.randrange(10, 100)}"
        started = time.perf_counter_ns()
        look(shown)
        times[kind].append(time.perf_counter_ns() - started)
    most = np.percentile(times[0] + times[1], 95)
    far, near = (np.array([each for each in found if each <= most]) for found in times)
    error = (far.var(ddof=1) / far.size + near.var(ddof=1) / near.size) ** 0.5
    return float((far.mean() - near.mean()) / error)
