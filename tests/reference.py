"""The reference server as a process, and settings that allow to ask it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from resources.settings import get_settings

PROGRAM = Path(__file__).with_name("reference_server.py")


class Reference:
    """A running reference server and its folder."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def serve(self, name: str, data: bytes) -> str:
        """Serves a file; its address."""
        path = self.folder / "files" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return f"{self.url}/files/{name}"

    def hold(self, listings: dict[str, list[dict[str, Any]]]) -> None:
        """Serves these rows by month."""
        path = self.folder / "listings.json"
        path.with_suffix(".new").write_text(json.dumps(listings))
        path.with_suffix(".new").replace(path)

    def next(self, *faults: str) -> None:
        """What the next answers are, and an empty log."""
        sent = urllib.request.Request(f"{self.url}/faults", json.dumps(faults).encode())  # noqa: S310  # ours
        urllib.request.urlopen(sent).close()  # noqa: S310  # as above

    def asked(self) -> list[dict[str, Any]]:
        """The requests since `next`."""
        with urllib.request.urlopen(f"{self.url}/log") as answer:  # noqa: S310  # as above
            found: list[dict[str, Any]] = json.load(answer)
            return found


@contextmanager
def serving(folder: Path, token: str = "") -> Iterator[Reference]:
    """A reference server for a folder; with a `server.pem` in it, by TLS."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), token], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            scheme = "https" if (folder / "server.pem").exists() else "http"
            yield Reference(folder, f"{scheme}://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


@contextmanager
def asking_this_machine(home: Path, **more: str) -> Iterator[None]:
    """Settings under which sources may ask this machine, without TLS."""
    allowed = {"SOURCE_NETWORKS": "127.0.0.0/8", "SOURCE_SCHEMES": "http,https", "HOME": str(home)}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LEEWAY_")]:
            patch.delenv(name)
        for name, value in (allowed | more).items():
            patch.setenv(f"LEEWAY_{name}", value)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()
