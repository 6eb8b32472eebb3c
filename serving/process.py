"""One process of the service, put together from the settings.

Belongs here: which parts there are and in which order a request passes them. Does not belong here:
sockets and signals (`cli.serve`), or what a part does.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from resources import tried
from resources.inference_log import write
from resources.keys import Keys, Ring
from resources.settings import Settings, get_settings
from resources.trials import fail, running
from serving.app import create_app
from serving.challengers import Challengers
from serving.champions import champions, copies_of
from serving.cors import Cors
from serving.dependencies import Dependencies, dependencies_of
from serving.guard import THIS_MACHINE, Access, Guard
from serving.inference_log import InferenceLog, TrialLog
from serving.keeper import Keeper
from serving.limits import Rate
from serving.observed import Observed
from serving.spool import Spool, spool_of
from serving.trials import Trials

RATE = 1_000  # requests a second of one key


def service(host: str, *, closed: bool, loaded: bool = False) -> ASGIApp:
    """Everything that a request passes, the outermost first: counting, CORS, keys, routes.

    `loaded`: it looks for champions before it returns, so that a worker that takes the place of
    another answers nobody before it can.
    """
    settings = get_settings()
    keeper = Keeper(copies_of(settings), partial(champions, settings))
    if loaded:
        keeper.refresh()
    inferences = InferenceLog(partial(write, settings), spool_of(settings))
    trials = trials_of(settings, settings.home / "serving" / "trial_log")
    dependencies = Dependencies(dependencies_of(settings))
    app = create_app(keeper, inferences, trials, dependencies, settings, closed=closed)
    guarded: ASGIApp = Guard(app, access_of(settings, host, closed=closed))
    if settings.serve_origins:
        guarded = Cors(guarded, settings.serve_origins)
    return Observed(guarded)


def trials_of(settings: Settings, kept: Path) -> Trials:
    """What is tried; rows of its log that the database cannot take are kept in a folder."""
    challengers = Challengers(
        copies_of(settings), partial(running, settings), partial(fail, settings)
    )
    return Trials(challengers, TrialLog(partial(tried.write, settings), Spool(kept)))


def access_of(settings: Settings, host: str, *, closed: bool) -> Access:
    """Who may ask; `closed`: with keys alone."""
    hosts = None if closed else frozenset({*THIS_MACHINE, host})
    if settings.serve_hosts is not None:
        hosts = frozenset({*THIS_MACHINE, *(each.lower() for each in settings.serve_hosts)})
    per_second = settings.serve_rate or (RATE if closed else None)
    return Access(
        ring=Ring(Keys(settings.home)) if closed else None,
        hosts=hosts,
        origins=settings.serve_origins,
        rate=None if per_second is None else Rate(per_second),
    )
