"""Who made something, and from which commit of the project.

Belongs here: asking git and the system. Does not belong here: keeping the answer. It is part of no
digest: the same training by somebody else is the same training.
"""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from resources.settings import PROJECT

_SECONDS = 10.0  # git looks at every tracked file


def git_commit(folder: Path = PROJECT) -> str | None:
    """The commit of the project, with `-dirty` where tracked files differ from it.

    None where git does not answer or does not track the project, as when it was installed or copied
    into a repository of something else.
    """
    if _git(folder, "ls-files", "--error-unmatch", "pyproject.toml") is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    # `describe --dirty` would say both, and write to the index, whatever it is told of locks.
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if not commit or changed is None:
        return None
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None."""
    try:
        done = subprocess.run(
            # No lock of the index, which the user's own git may hold.
            ["git", "--no-optional-locks", *arguments],  # noqa: S607  # where PATH has it
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def user_name() -> str | None:
    """The user of this process, or None where the system has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # by the version of Python
        return None
