"""Files of keys that are none, and keys whose names are odd.

Belongs here: what such a file costs the others. Does not belong here: keys as they are
(tests/unit/test_keys.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from cli import keys as verb
from cli.serve import _why_closed
from resources.keys import Key, Keys, Ring
from resources.settings import Settings, get_settings
from serving.guard import caller

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("changed", [{"made_at": 5}, {"sha256": None}, {"name": ["a"]}])
def test_a_field_that_is_no_text_makes_no_key_and_stops_no_other(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    keys = Keys(tmp_path)
    text, good = keys.make("admin", "good", NOW)
    other, odd = keys.make("admin", "odd", NOW)
    (keys.folder / f"{odd.id}.json").write_text(json.dumps(asdict(odd) | changed))
    assert keys.every() == [good]
    ring = Ring(keys)
    assert ring.find(text, 0) == good
    assert ring.find(other, 0) is None


def test_a_file_that_cannot_be_read_keeps_no_revoked_key_valid(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    text, key = keys.make("admin", "", NOW)
    ring = Ring(keys)
    assert ring.find(text, 0) == key
    (keys.folder / f"{'0' * 12}.json").mkdir()  # for root, too, it cannot be read
    keys.revoke(key.id)
    assert ring.find(text, 2) is None


def test_a_name_that_looks_like_markup_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEEWAY_HOME", str(tmp_path))
    get_settings.cache_clear()
    try:
        Keys(tmp_path).make("predict", "[/x]", NOW)
        verb.listed(as_json=False)
    finally:
        get_settings.cache_clear()
    assert "[/x]" in capsys.readouterr().err


def test_a_move_is_by_a_key_that_no_other_can_pass_for() -> None:
    def who(access: object) -> str:
        return caller(Request({"type": "http", "state": {"access": access}}))

    assert who(Key("0123456789ab", "admin", "leeway", "", "")) == "key leeway (0123456789ab)"
    assert who(Key("0123456789ab", "admin", "", "", "")) == "key 0123456789ab"
    assert who("open") == "the service, without a key"


def test_the_reason_for_keys_is_the_address_only_where_others_reach_it() -> None:
    settings = Settings(environment="test")
    for host in ("127.0.0.1", "::1", "localhost"):
        assert _why_closed(settings, host) == "there were keys before"
    assert _why_closed(settings, "0.0.0.0") == "the service listens on 0.0.0.0"  # noqa: S104
