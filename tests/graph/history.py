"""A use case of its own, and what happens to it, written through the ledger and into Dagster.

Belongs here: what tests of ticks say of the past. Does not belong here: what a tick asks for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Literal

import dagster as dg
import psycopg2.extensions

# What a run plans, and where a queued run's job is loaded from, no public name says.
from dagster._core.events import AssetMaterializationPlannedData  # noqa: TID251
from dagster._core.remote_origin import (  # noqa: TID251
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from assets.requested import ATTEMPT_TAG, INCIDENT_TAG
from assets.stage import Stage
from leeway.controller.facts import Cause, Origin, incident_digest
from leeway.spec import Retraining
from orchestration.jobs import graph_job_name, retrain_job_name
from orchestration.retraining import retraining_tick
from resources.platform import Platform
from resources.releases import Release, insert_incident, promote_in
from resources.trainings import Asked, end_in

Verdict = Literal["promote", "hold", "reject"]
DAY = timedelta(days=1)
_numbers = count(1)


def asked_by(tick: dg.SensorResult) -> dg.RunRequest:
    """The one run that a tick asks for."""
    assert tick.run_requests, f"asked for nothing: {tick.skip_reason}"
    (request,) = tick.run_requests
    return request


@dataclass
class History:
    """One use case of its own, and what has happened to it so far."""

    stage: Stage
    platform: Platform
    instance: dg.DagsterInstance
    trained_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def with_policy(self, **policy: Any) -> History:
        """The same history under another retraining policy."""
        use_case = self.stage.use_case.model_copy(update={"retraining": Retraining(**policy)})
        return replace(self, stage=replace(self.stage, use_case=use_case))

    def tick(self, after: timedelta = 2 * DAY) -> dg.SensorResult:
        """A tick so long after the first release."""
        return retraining_tick(self.stage, self.instance, self.platform, self.trained_at + after)

    def reason(self, after: timedelta = 2 * DAY) -> str:
        """Why a tick asks for nothing."""
        found = self.tick(after)
        assert found.skip_reason is not None, f"asked for {found.run_requests}"
        return str(found.skip_reason.skip_message)

    def request(self, after: timedelta = 2 * DAY) -> dg.RunRequest:
        """What a tick asks for."""
        return asked_by(self.tick(after))

    def commit(
        self,
        node: str,
        batch: str = "",
        run_id: str = "",
        facts: dict[str, Any] | None = None,
        also: Callable[[psycopg2.extensions.cursor], None] | None = None,
    ) -> None:
        """A node's result in the ledger."""
        attempt = self.platform.ledger.begin(self.stage.name, node, batch, run_id)
        digest = f"sha256:{next(_numbers)}"
        self.platform.ledger.commit(attempt, input_digest=digest, digest=digest, uri="file:///none",
                                    rows=1, facts=facts or {}, also=also)  # fmt: skip

    def arrive(self, batch: str) -> None:
        """A batch is clean."""
        self.platform.ledger.register_batches(self.stage.name, [batch])
        self.commit("clean", batch)

    def look(
        self,
        batch: str,
        verdict: Literal["none", "suspect", "confirmed"] = "none",
        also: Callable[[psycopg2.extensions.cursor], None] | None = None,
        incident: str | None = None,
        node: str = "drift",
    ) -> None:
        """A batch is held against the champion, as the asset `drift`, or another, records it."""
        champion = self.platform.releases.champion(self.stage.name)
        assert champion is not None
        self.platform.ledger.register_batches(self.stage.name, [batch])
        facts = {"verdict": verdict, "version": champion.version, "trained_on": False}
        self.commit(node, batch, facts={**facts, "incident": incident}, also=also)

    def drift(
        self, batch: str, *columns: str, cause: Cause = "drift", origin: Origin = "unknown"
    ) -> None:
        """A batch is found to have drifted from the champion, or to be worse for it."""
        champion = self.platform.releases.champion(self.stage.name)
        assert champion is not None
        digest = incident_digest(self.stage.name, champion.digest, batch, columns, cause)
        incident = partial(
            insert_incident, use_case=self.stage.name, digest=digest, batch=batch, columns=columns,
            release_digest=champion.digest, run_id="", cause=cause, origin=origin,
        )  # fmt: skip
        self.look(batch, "confirmed", incident, digest, "drift" if cause == "freshness" else cause)

    def release(
        self,
        verdict: Verdict,
        run_id: str,
        asked: Asked | None,
        key: str = "",
        batches: Sequence[str] = (),
    ) -> None:
        """Batches, or every one, are trained on and judged, as the asset `release` records it."""
        name, releases = self.stage.name, self.platform.releases
        key = key or f"key-{next(_numbers)}"
        champion = releases.champion(name)
        made = Release(
            use_case=name, version=releases.next_version(name, key), digest=f"sha256:of-{key}",
            training_key=key, algorithm="decision_tree", verdict=verdict, reason="planted",
            facts={
                "batches": list(batches) or self.platform.ledger.batches(name),
                "awaits_person": self.stage.use_case.promotion == "manual",
            },
            incident=asked.incident if asked else None,
            run_id=run_id, released_at=self.trained_at,
        )  # fmt: skip

        def record(cursor: psycopg2.extensions.cursor) -> None:
            if asked is not None:
                end_in(cursor, name, asked, made.version)
            releases.record(cursor, made)
            if verdict == "promote":
                judged = champion.version if champion else None
                promote_in(cursor, name, made.version, judged, "planted")

        self.commit("release", run_id=run_id, also=record)

    def carry_out(
        self,
        request: dg.RunRequest | None,
        verdict: Verdict | None,
        key: str = "",
        batches: Sequence[str] = (),
    ) -> dg.ExecuteInProcessResult:
        """A run of Dagster for a request, or by hand; without a verdict it fails."""
        tags = dict(request.tags) if request else {}
        asked = Asked(tags[INCIDENT_TAG], int(tags[ATTEMPT_TAG])) if request else None
        run_id = str(uuid.uuid4())

        @dg.asset(key=self.stage.key("tuned_model"))
        def train() -> None:
            if asked is not None:
                self.platform.trainings.claim(self.stage.name, asked, run_id)
            known = self.platform.ledger.batches(self.stage.name)
            self.commit("training_set", facts={"batches": list(batches) or known})
            if verdict is None:
                raise RuntimeError("planted")
            self.release(verdict, run_id, asked, key, batches)

        name = (retrain_job_name if request else graph_job_name)(self.stage.name)
        job = dg.define_asset_job(name, executor_def=dg.in_process_executor)
        return dg.Definitions([train], jobs=[job]).resolve_job_def(name).execute_in_process(
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=self.instance, tags=tags, run_id=run_id, raise_on_error=False,
        )  # fmt: skip

    def enqueue(
        self,
        request: dg.RunRequest,
        status: dg.DagsterRunStatus,
        *nodes: str,
    ) -> dg.DagsterRun:
        """A run that Dagster made of a request and that has not ended; of some nodes alone."""
        assert request.job_name is not None
        place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("leeway"), "__repository__")
        run = dg.DagsterRun(
            request.job_name, str(uuid.uuid4()), status=status, tags=request.tags,
            remote_job_origin=RemoteJobOrigin(place, request.job_name),
            asset_selection=frozenset(map(self.stage.key, nodes)) if nodes else None,
        )  # fmt: skip
        self.instance.add_run(run)
        for node in nodes:
            planned = AssetMaterializationPlannedData(self.stage.key(node))
            event = dg.DagsterEvent.build_asset_materialization_planned_event(
                run.job_name, node, planned
            )
            self.instance.report_dagster_event(event, run.run_id)
        return run
