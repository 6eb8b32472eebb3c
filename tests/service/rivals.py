"""Other releases of an installation, and trials of them, made without training.

Belongs here: making them, and reading what was kept of a trial. Does not belong here: what should
have been.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from leeway.digests import canonical_json
from leeway.spec import Trial
from orchestration.use_cases import load_use_cases
from resources import trials
from resources.postgres import transaction
from resources.releases import Release, Releases, try_in
from resources.settings import Settings
from resources.store import LocalStore
from resources.trial_judge import Judged, judge_trial
from resources.trials import Tried
from tests.faults.harness import until
from tests.installed import Complete
from tests.project_copy import NAME

Change = Callable[["Rivals", dict[str, Any]], object]


def good(rivals: Rivals, manifest: dict[str, Any]) -> None:
    """The champion's twin."""


def place_of(manifest: dict[str, Any], file: str) -> tuple[str, str]:
    """The address and the digest of a file of a release."""
    return manifest["files"][file]["uri"], manifest["files"][file]["digest"]


class Rivals:
    """Releases that are tried beside the champion of an installation."""

    def __init__(self, installed: Complete) -> None:
        self.settings = Settings(home=installed.home, environment="test")
        self.releases, self.store = Releases(self.settings), LocalStore(self.settings.store_root)
        self.use_case = load_use_cases()[NAME]

    def champion(self) -> Release:
        found = self.releases.champion(NAME)
        assert found is not None
        return found

    def release(self, change: Change) -> Release:
        """Another version: the first one, changed."""
        first = self.releases.every(NAME)[0]
        manifest = json.loads(self.store.get(first.facts["uri"], first.digest))
        manifest["version"] = version = len(self.releases.every(NAME)) + 1
        change(self, manifest)
        stored = self.store.put("models", NAME, "json", canonical_json(manifest))
        made = Release(
            NAME, version, stored.digest, f"key {version}", first.algorithm, "hold", "a test",
            {**first.facts, "uri": stored.uri}, None, "a test", datetime.now(UTC),
        )  # fmt: skip
        with transaction(self.settings) as cursor:
            self.releases.record(cursor, made)
        return made

    def begin(self, change: Change, policy: Trial) -> Tried:
        made = self.release(change)
        judged = self.champion().version
        with transaction(self.settings) as cursor:
            try_in(cursor, NAME, made.version, made.digest, judged, policy)
        found = trials.running_of(self.settings, NAME)
        assert found is not None
        return found

    def stop(self) -> None:
        with transaction(self.settings) as cursor:
            trials.end_in(cursor, NAME, "stopped", "the test is over")

    def judge(self) -> Judged:
        found = judge_trial(self.settings, NAME, self.use_case, datetime.now(UTC))
        assert found is not None
        return found

    def newest(self) -> Tried:
        return trials.newest(self.settings, NAME)[0]

    def log(self, trial: Tried) -> list[dict[str, Any]]:
        """The requests of a trial, with the releases that answered them."""
        with transaction(self.settings) as cursor:
            cursor.execute(
                "select t.role, t.error, t.answers, t.key_at, "
                "array_agg(l.row_key order by p.place), array_agg(distinct l.release_digest), "
                "array_agg(l.answer order by p.place) "
                "from monitoring.trial_log as t "
                "cross join unnest(prediction_ids) with ordinality as p (id, place) "
                "join monitoring.inference_log as l on l.prediction_id = p.id "
                "where trial = %s group by t.request_id order by t.at",
                (trial.id,),
            )
            names = ("role", "error", "answers", "key_at", "keys", "releases", "logged")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def logged(self, trial: Tried, count: int) -> list[dict[str, Any]]:
        """As `log`, once it has as many."""
        assert until(lambda: len(self.log(trial)) >= count, 60) is not None
        return self.log(trial)

    def label(self, labels: dict[int, str]) -> None:
        now = datetime.now(UTC)
        with transaction(self.settings) as cursor:
            for key, label in labels.items():
                cursor.execute(
                    "insert into leeway.labels (use_case, batch, row_number, row_key, label, "
                    "arrived_at, read_at) values (%s, 'b', 1, %s, %s, %s, %s)",
                    (NAME, str(key), label, now, now),
                )
