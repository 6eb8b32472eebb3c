"""Which tests stay together when several processes share them, and which of them begin.

Belongs here: only that.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

# What takes long to make for the whole session, and the modules or folders that use it: in one
# process it is made once. The longest come first. No group may take more than one of four processes
# has of two cores, half of the time of `make test`: so there is an installation for commands, one
# for what is killed and one for the service, and not one for all.
SHARED = {
    "an installation for commands": (
        "end_to_end/test_backtest.py",
        "end_to_end/test_command_line.py",
        "end_to_end/test_rehearsal.py",
        "end_to_end/test_traffic.py",
        "end_to_end/test_who_moved.py",
    ),
    "an installation for the service": (
        "faults/test_service_dependencies.py",
        "service/",
    ),
    "an installation for what is killed": (
        "end_to_end/test_first_steps.py",
        "end_to_end/test_live.py",
        "end_to_end/test_new.py",
        "faults/test_daemon_retraining.py",
        "faults/test_dev_kills.py",
        "faults/test_postgres_restart.py",
        "faults/test_run_kills.py",
        "graph/test_ui.py",
    ),
    "a complete graph": (
        "graph/test_bad_input.py",
        "graph/test_cleaning.py",
        "graph/test_fence.py",
        "graph/test_life.py",
        "graph/test_metadata.py",
        "graph/test_other_references.py",
        "graph/test_traffic.py",
        "graph/test_trial.py",
        "graph/test_why.py",
    ),
    "a server of MLflow, and processes that meet": (
        "contract/test_ledger.py",
        "contract/test_manifest.py",
        "contract/test_postgres.py",
        "contract/test_registry.py",
        "contract/test_releases.py",
        "contract/test_stand_ins.py",
        "contract/test_store.py",
        "contract/test_tracking.py",
        "contract/test_trainings.py",
    ),
    "a server of MariaDB": (
        "contract/test_source_sql.py",
        "contract/test_source_sql_faults.py",
    ),
}


def shared_by(file: str) -> str | None:
    """What a test file, named from the folder of the project, has in common with others."""
    for shared, users in SHARED.items():
        if file.removeprefix("tests/").startswith(users):
            return shared
    return None


def longest_first(items: list[pytest.Item]) -> None:
    """Puts what is shared before all else, each as it is named above.

    The other tests follow in the order of the files, the many short ones last, so that no process
    waits for another at the end.
    """
    order = list(SHARED)

    def place(item: pytest.Item) -> int:
        shared = shared_by(item.nodeid.split("::")[0])
        return order.index(shared) if shared else len(order)

    items.sort(key=place)


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Each file to one process, and files that share something to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return shared_by(file) or file
