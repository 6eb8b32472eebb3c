"""Bounds of what a parser of files may take, small enough for tests.

Belongs here: setting them. Does not belong here: files that would take more, or what must become
of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from resources import parsing
from resources.settings import get_settings


@contextmanager
def bounded_parser(megabytes: int) -> Iterator[None]:
    """No file is larger than that, and no parser works for longer than 10 s of its CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEEWAY_MAX_FILE_MB", str(megabytes))
        patch.setattr(parsing, "CPU_SECONDS", 10)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()
