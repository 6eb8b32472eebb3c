"""MLflow's aliases as a projection of the ledger, which alone decides who is champion.

Belongs here: which aliases follow from the ledger, telling MLflow, and remembering what it was
told, so that whoever looks next finds what was left out. Does not belong here: the calls to MLflow
(`resources.tracking`) or moving the champion (`resources.releases`).
"""

from __future__ import annotations

import logging
from textwrap import shorten

from resources.faults import fault
from resources.locks import one_at_a_time
from resources.postgres import transaction
from resources.releases import Release, Releases
from resources.settings import Settings
from resources.tracking import TRAINING_KEY, Tracking, registry_lock, server_address


class RegistryUnavailable(RuntimeError):
    """MLflow could not be told; the ledger holds, and MLflow is told next time."""


def untold(settings: Settings) -> list[str]:
    """Use cases whose releases or champion have changed since this MLflow was last told of them."""
    with transaction(settings) as cursor:
        cursor.execute(
            """
            with newest as (
                select use_case, max(version) as newest from leeway.releases group by use_case
            ), champion as (
                select distinct on (use_case) use_case, version as champion from leeway.moves
                order by use_case, id desc
            )
            select newest.use_case from newest
            left join champion using (use_case)
            left join leeway.aliases
                on aliases.use_case = newest.use_case and aliases.registry = %s
            where (aliases.champion, aliases.newest)
                is distinct from (champion.champion, newest.newest)
            order by newest.use_case
            """,
            (_registry(settings),),
        )
        return [str(use_case) for (use_case,) in cursor.fetchall()]


def _registry(settings: Settings) -> str:
    """Names the MLflow of an installation, without a password."""
    return server_address(settings) or "its tables beside this database"


def project_aliases(settings: Settings, use_case: str) -> None:
    """Makes MLflow's aliases say what the ledger says; any number of times.

    One process at a time reads, tells and remembers: else an older truth could be told last. A
    version that this MLflow has not, as a new server, is registered from the ledger.

    Raises:
        RegistryUnavailable: when MLflow cannot be reached or refuses.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    with one_at_a_time(settings, registry_lock(use_case)) as cursor:
        releases = Releases(settings)
        every, champion = releases.every(use_case), releases.champion(use_case)
        newest = every[-1] if every else None
        fault("registry.before_alias")
        try:
            _tell(settings, use_case, champion, newest)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            raise RegistryUnavailable(
                f"MLflow could not be told who is champion of {use_case}: "
                f"{shorten(str(error), 200)}. The ledger holds and decides; the next `leeway run`, "
                "`promote` or `rollback` tells MLflow"
            ) from error
        fault("registry.after_alias")
        cursor.execute(
            "insert into leeway.aliases (registry, use_case, champion, newest) "
            "values (%s, %s, %s, %s) on conflict (registry, use_case) do update "
            "set champion = excluded.champion, newest = excluded.newest, told_at = now()",
            (
                _registry(settings),
                use_case,
                champion and champion.version,
                newest and newest.version,
            ),
        )


def _tell(
    settings: Settings, use_case: str, champion: Release | None, newest: Release | None
) -> None:
    """Gives the aliases to these releases."""
    tracking = Tracking(settings, use_case, "", logging.getLogger(__name__))
    challenger = newest if newest != champion else None
    known = tracking.versions()
    for release in (champion, challenger):
        if release is not None and release.training_key not in known:
            tags = {
                TRAINING_KEY: release.training_key,
                "leeway.version": str(release.version),
                "leeway.verdict": release.verdict,
                "algorithm": release.algorithm,
            }
            tracking.register(release.reason, tags, str(release.facts["uri"]), run_id=None)
    tracking.project_aliases(
        {
            "champion": champion.training_key if champion else None,
            "challenger": challenger.training_key if challenger else None,
        }
    )
