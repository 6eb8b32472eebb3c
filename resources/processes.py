"""What a process owes its parent: to end when the parent does.

Belongs here: tying a process's life to another's. Does not belong here: starting processes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Asks Linux to kill this process when its parent ends; other systems have no such thing.

    It lasts over `exec`, so that it can be the last step before another program starts.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def die_with_parent() -> None:
    """Ends this process at once when its parent ends, so that no orphan commits later.

    Linux does it by a signal; elsewhere a thread looks every half second.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        end_with_parent()
        if os.getppid() != parent:  # the parent ended before the line above
            os._exit(1)
        return
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
