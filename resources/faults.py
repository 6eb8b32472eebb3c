"""Named points at which a test can stop the process.

Belongs here: the points and what may happen at one. Does not belong here: any decision of the
product. `LEEWAY_FAULTS=raw.before_commit:kill` kills the process at that point; `:raise` raises;
`:wait` stops it until it is continued (SIGCONT) or killed. Without the variable a point costs one
look-up.
"""

from __future__ import annotations

import os
import signal
import sys


class FaultInjected(RuntimeError):
    """Raised at a fault point when a test asked for it."""


def fault(point: str) -> None:
    """Does at `point` what LEEWAY_FAULTS asks for, if anything."""
    asked = os.environ.get("LEEWAY_FAULTS")
    if not asked:
        return
    for entry in asked.split(","):
        name, _, action = entry.partition(":")
        if name == point:
            _carry_out(point, action)


def _carry_out(point: str, action: str) -> None:
    print(f"fault {point}: {action}", file=sys.stderr, flush=True)  # noqa: T201  # the process may end here
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "wait":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise FaultInjected(point)
