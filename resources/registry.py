"""MLflow's aliases as a projection of the ledger, which alone decides who is champion.

Belongs here: which aliases follow from the ledger, telling MLflow, and remembering what it was
told, so that whoever looks next finds what was left out. Does not belong here: the calls to MLflow
(`resources.tracking`) or moving the champion (`resources.releases`).
"""

from __future__ import annotations

import logging
from textwrap import shorten

from resources.postgres import transaction
from resources.releases import Releases
from resources.settings import Settings
from resources.tracking import Tracking


class RegistryUnavailable(RuntimeError):
    """MLflow could not be told; the ledger holds, and MLflow is told next time."""


def untold(settings: Settings) -> list[str]:
    """Use cases whose releases or champion have changed since MLflow was last told of them."""
    with transaction(settings) as cursor:
        cursor.execute(
            """
            with newest as (
                select use_case, max(version) as newest from leeway.releases group by use_case
            ), champion as (
                select distinct on (use_case) use_case, version as champion from leeway.moves
                order by use_case, id desc
            )
            select use_case from newest
            left join champion using (use_case)
            left join leeway.told using (use_case)
            where (told.champion, told.newest) is distinct from (champion.champion, newest.newest)
            order by use_case
            """
        )
        return [str(use_case) for (use_case,) in cursor.fetchall()]


def project_aliases(settings: Settings, use_case: str) -> None:
    """Makes MLflow's aliases say what the ledger says; any number of times.

    Raises:
        RegistryUnavailable: when MLflow cannot be reached or refuses.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    releases = Releases(settings)
    every, champion = releases.every(use_case), releases.champion(use_case)
    newest = every[-1] if every else None
    aliases = {
        "champion": champion.training_key if champion else None,
        "challenger": newest.training_key if newest and newest != champion else None,
    }
    tracking = Tracking(settings, use_case, "", logging.getLogger(__name__))
    try:
        tracking.project_aliases(aliases)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryUnavailable(
            f"MLflow could not be told who is champion of {use_case}: "
            f"{shorten(str(error), 200)}. The ledger holds and decides; the next `leeway run`, "
            "`promote` or `rollback` tells MLflow"
        ) from error
    with transaction(settings) as cursor:
        cursor.execute(
            "insert into leeway.told (use_case, champion, newest) values (%s, %s, %s) "
            "on conflict (use_case) do update "
            "set champion = excluded.champion, newest = excluded.newest, told_at = now()",
            (use_case, champion and champion.version, newest and newest.version),
        )
