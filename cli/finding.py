"""One thing that `leeway doctor` looked at.

Belongs here: what a look says. Does not belong here: any look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""
