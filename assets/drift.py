"""Stage `drift`: whether a batch still looks like what the champion was trained on.

Belongs here: reading the batch and the champion's reference, storing the verdict, recording an
incident. Does not belong here: the verdict (`leeway.drift.verdict`) or what follows
from it (`leeway.controller`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.exact import exact_distances
from assets.incident import FoundIncident, incident_on
from assets.reference import answered_in, before, made_alike, reference_of, verdict_on
from assets.released import Batch, node_of_batches
from assets.stage import Stage, Work, metadata_of, png
from leeway.digests import canonical_json, digest_of
from leeway.drift.answered import without_answered
from leeway.drift.column import ColumnDrift
from leeway.drift.content import content_of
from leeway.drift.distribution import Distribution, distributions_of
from leeway.drift.exact import undecided
from leeway.drift.history import past_batch_fields
from leeway.drift.origin import Origin, Who, origin_of, who_of
from leeway.drift.stored import Stored, from_bytes
from leeway.drift.verdict import BatchDrift, without_reference
from leeway.drift.who_moved import who_told
from resources.ledger import Commit

BY_CLIENTS = Origin(
    "unknown", None, "Clients sent it so: live traffic passes none of the steps that batches do."
)


@dataclass(frozen=True)
class Judged:
    """The verdict on a batch, who moved its columns, and how they look.

    `made_by` is the digest of the definitions that made it, `again` the command that takes it in.
    """

    verdict: BatchDrift
    origins: Mapping[str, Origin]
    distributions: Mapping[str, Distribution]
    trained_on: bool
    made_by: str
    again: str

    @property
    def moved(self) -> Mapping[str, Origin]:
        """Where each confirmed feature's move comes from."""
        drifted = self.verdict.drifted
        return {name: self.origins[name] for name in drifted if name in self.origins}

    @property
    def who(self) -> Who | None:
        """Who moved the features; None where none is confirmed."""
        return who_of(list(self.moved.values()))

    @property
    def facts(self) -> dict[str, Any]:
        """For the ledger: what others ask of a batch without reading its object."""
        return {
            "verdict": self.verdict.verdict,
            "reason": self.verdict.reason,
            "columns": list(self.verdict.drifted),
            "target_verdict": self.verdict.target_verdict,
            "trained_on": self.trained_on,
            "answered": list(self.verdict.answered),
            "made_by": self.made_by,
            "effects": past_batch_fields(self.verdict.past_batch),
            "origin": self.who,
            "who_moved": who_told(self.moved, self.who, self.again),
        }


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `drift` of a use case."""
    return node_of_batches(
        stage,
        "drift",
        "One row per monitored column: how far a batch is from the reference profile.",
        "json",
        _materialize,
        without="there is no reference: drift is undefined",
    )


def _materialize(batch: Batch) -> dict[str, Any]:
    work = batch.begin("drift", "profile")
    judged = judge(batch, from_bytes(work.read("profile", batch.name)))
    commit = keep(batch, work, judged, "profile")
    return metadata_of_verdict(judged, commit, batch)


def keep(
    batch: Batch, work: Work, judged: Judged, upstream: str, facts: Mapping[str, Any] | None = None
) -> Commit:
    """Stores the verdict, with its incident; `upstream` is the node whose data are the evidence."""
    incident = _incident(batch, work, judged, upstream)
    content = content_of(
        judged.verdict,
        judged.origins,
        judged.distributions,
        judged.facts["who_moved"],
        batch.stage.use_case.drift.reference,
    )
    return work.commit(
        "reports",
        "json",
        canonical_json(content),
        rows=len(judged.verdict.columns),
        facts={
            **judged.facts,
            **(facts or {}),
            "version": batch.champion.release.version,
            "reference": batch.stage.use_case.drift.reference,
            "incident": incident.digest if incident else None,
        },
        also=incident.record if incident else None,
    )


def judge(batch: Batch, stored: Stored) -> Judged:
    """The verdict on a batch, from its profile."""
    use_case, name = batch.stage.use_case, batch.name
    current = stored.profiles["clean"]
    reference, earlier = reference_of(batch, current), before(batch)
    made_by, again = digest_of(stored.definitions), f"leeway run {batch.stage.name} --batch {name}"
    if reference is None:
        kind = use_case.drift.reference
        found = without_reference(current, use_case.drift, use_case.columns, kind)
        return Judged(found, {}, {}, trained_on=False, made_by=made_by, again=again)
    train = reference.profiles["train"]
    found = verdict_on(current, reference, earlier, use_case)
    if exact := exact_distances(batch, undecided(found), train, current):
        found = verdict_on(current, reference, earlier, use_case, exact)
    if answered := answered_in(batch, found.moved):
        found = without_answered(found, answered, current, use_case.drift, use_case.columns)
    confirmed = {
        each.name: each.measure
        for each in found.columns
        if each.verdict == "confirmed" and each.measure is not None
    }
    if batch.live:
        origins = dict.fromkeys(confirmed, BY_CLIENTS)
    else:
        alike = made_alike(batch, made_by) if confirmed else []
        origins = {
            column: origin_of(column, measure, reference, stored, use_case.drift.min_rows, alike)
            for column, measure in confirmed.items()
        }
    # A model that was trained on a batch cannot be surprised by it: training again would give the
    # same model, and a batch that differs from those before it would ask for that for ever.
    trained_on = name in batch.champion.manifest["batches"]
    shown = distributions_of(train, current, found.columns)
    return Judged(found, origins, shown, trained_on, made_by, again)


def _incident(batch: Batch, work: Work, judged: Judged, upstream: str) -> FoundIncident | None:
    """The incident that a confirmed verdict is; None where it is none."""
    found = judged.verdict
    if found.verdict != "confirmed" or judged.trained_on:
        return None
    return incident_on(batch, work, upstream, found.drifted, "drift", judged.who or "unknown")


def metadata_of_verdict(judged: Judged, commit: Commit, batch: Batch) -> dict[str, Any]:
    """What the UI shows of it."""
    from leeway.plots_drift import distributions_plot, drift_plot

    found = judged.verdict
    pictures = {"effects": png(drift_plot(found.columns))}
    if judged.distributions:
        pictures["distributions"] = png(distributions_plot(judged.distributions))
    return metadata_of(
        commit,
        batch=batch.name,
        verdict=found.verdict,
        reason=found.reason,
        drifted_columns=", ".join(found.drifted) or "none",
        columns_trained_for=", ".join(found.answered) or "none",
        drifted_share="undefined" if found.drifted_share is None else found.drifted_share,
        who_moved=commit.facts["who_moved"] or "nothing is confirmed",
        origin=commit.facts["origin"] or "nothing is confirmed",
        compared_with=f"{commit.facts['reference'].replace('_', ' ')} "
        f"(version {batch.champion.release.version})",
        batches_that_tell_what_is_usual=found.history,
        alarm_probability=found.alarm_probability,
        columns=dg.MetadataValue.table(
            records=[dg.TableRecord(_record(each, judged.origins)) for each in found.columns]
        ),
        **pictures,
    )


def _record(column: ColumnDrift, origins: Mapping[str, Origin]) -> dict[str, str]:
    origin = origins.get(column.name)
    return {
        "column": column.name,
        "role": column.role,
        "verdict": column.verdict,
        "moved": column.change.told() if column.change else "undefined",
        "measure": column.measure or "undefined",
        "effect": "undefined" if column.effect is None else f"{column.effect:.3f}",
        "lower_bound": "undefined" if column.interval is None else f"{column.interval[0]:.3f}",
        "threshold": column.worth_told,
        "statistics": ", ".join(f"{name} {x:.3g}" for name, x in column.statistics.items()),
        "reason": column.reason,
        "who_moved": origin.reason if origin else "",
    }
