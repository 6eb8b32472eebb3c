"""`leeway promote` and `leeway rollback`: move the champion and write down who and why.

Belongs here: telling MLflow, and saying what happened. Does not belong here: which version may be
champion (`resources.moves`). The move in the ledger is what serves; MLflow is told after it, and
may be told later.
"""

from __future__ import annotations

import getpass

from cli.output import emit, say
from cli.recovery import tell_registry
from orchestration.use_cases import find_use_case
from resources import moves
from resources.instance import prepare
from resources.moves import Move
from resources.releases import NoSuchVersion, Releases
from resources.settings import Settings


def promote(name: str, version: int, why: str, as_json: bool) -> None:
    """Makes `version` the champion; where it is that already, moves nothing and says so.

    Raises:
        NoSuchVersion: when there is no such version, a gate rejected it, or it is an experiment.
    """
    _with_versions(name)
    settings = prepare()
    moved = moves.promote(Releases(settings), name, version, getpass.getuser(), why)
    _tell(settings, moved, as_json)


def rollback(name: str, why: str, as_json: bool) -> None:
    """Returns the championship to the version that had it before.

    Raises:
        NoSuchVersion: when no version had it before, or it is an experiment.
    """
    _with_versions(name)
    settings = prepare()
    _tell(settings, moves.rollback(Releases(settings), name, getpass.getuser(), why), as_json)


def _with_versions(name: str) -> None:
    """Refuses what is no use case, or one that never has a version."""
    if find_use_case(name).task == "experiment":
        raise NoSuchVersion(
            f"{name} is an experiment, which has no versions to move; `leeway status {name}` shows "
            "its best setting"
        )


def _tell(settings: Settings, moved: Move, as_json: bool) -> None:
    say(f"{moved.use_case}: {moved.told}")
    untold = tell_registry(settings, moved.use_case)
    if as_json:
        emit(
            {
                "use_case": moved.use_case,
                "action": moved.action,
                "from": moved.previous,
                "to": moved.version,
                "who": moved.who,
                "why": moved.why,
                "mlflow": untold or "told",
            }
        )
