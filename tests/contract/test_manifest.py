"""The manifest of the dbt project: whole, and made once however many processes ask for it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from resources import dbt
from resources.dbt import begin_call, manifest_path, project_digest
from resources.settings import Settings, get_settings


def ask(home: str, url: str) -> tuple[str, int]:
    os.environ |= {"LEEWAY_HOME": home, "LEEWAY_DATABASE_URL": url}
    get_settings.cache_clear()
    manifest_path.cache_clear()
    path = manifest_path()
    return str(path), len(json.loads(path.read_bytes())["nodes"])


def test_processes_that_ask_for_the_manifest_at_once_find_the_same_whole_one(
    tmp_path: Path, together: Callable[..., list[Any]]
) -> None:
    """Guards: they wrote into one folder, and one could publish what another had half written."""
    found = together(ask, [(str(tmp_path), "postgresql://nobody@127.0.0.1:9/none")] * 2)
    assert found == [found[0]] * 2
    assert found[0][1] > 0
    left = [path.name for path in (tmp_path / "dbt" / "target").iterdir()]
    assert left == [dbt.PARSED], "each call removes its own files"


def test_what_is_no_json_is_not_published(tmp_path: Path) -> None:
    half, published = tmp_path / "half", tmp_path / "published"
    half.write_text('{"nodes": {')
    with pytest.raises(json.JSONDecodeError):
        dbt._publish(half, published)
    assert not published.exists()


def test_another_dbt_makes_another_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = project_digest()
    monkeypatch.setattr(dbt, "version", lambda name: "99.0")
    assert project_digest() != before


def test_each_call_has_its_own_folder_with_the_project_as_it_was_parsed_last(
    shared: Settings,
) -> None:
    first = begin_call(shared, "a", {"2009": 7})
    told = json.loads((first / dbt.CALL).read_text())
    assert told == {"parent": os.getpid(), "tokens": {"2009": 7}}
    (first / dbt.PARSED).write_bytes(b"parsed")
    dbt.keep_parsed(first, shared)
    assert not first.exists()
    second, third = begin_call(shared, "a", {}), begin_call(shared, "a", {})
    assert second != third
    assert (second / dbt.PARSED).read_bytes() == (third / dbt.PARSED).read_bytes() == b"parsed"
