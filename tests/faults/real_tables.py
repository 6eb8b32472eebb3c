"""Where the published tables are, for the proofs that read them.

Belongs here: the folder, and when such a test is left out. Does not belong here: what is shown of
a table, which each test has by itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.harness import LONG

DATA = Path(os.environ.get("LEEWAY_DATA_DIR", "no folder"))
REAL_TABLES = [
    pytest.mark.faults,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not LONG, reason="minutes: make proof"),
    pytest.mark.skipif(not DATA.is_dir(), reason="LEEWAY_DATA_DIR is not set"),
]
