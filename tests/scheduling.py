"""Which tests stay together when several processes share them.

Belongs here: only that. Loaded by tests/conftest.py when pytest-xdist is there.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

# What takes long to make for the whole session, and who uses it: in one process it is made once.
SHARED = {
    "a complete graph": (
        "graph/test_bad_input",
        "graph/test_cleaning",
        "graph/test_fence",
        "graph/test_life",
        "graph/test_metadata",
    ),
    "a complete installation": (
        "test_command_line",
        "test_dev_kills",
        "test_first_steps",
        "test_live",
        "test_new",
        "test_postgres_restart",
        "test_run_kills",
        "test_ui",
    ),
    "a server of MariaDB": ("test_source_sql", "test_source_sql_faults"),
    "a server of MLflow, and processes that meet": (
        "test_ledger",
        "test_manifest",
        "test_postgres",
        "test_registry",
        "test_releases",
        "test_stand_ins",
        "test_store",
        "test_tracking",
    ),
}


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Each file to one process, and files that share something to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        for shared, users in SHARED.items():
            if any(file.endswith(f"{user}.py") for user in users):
                return shared
        return file
