"""Asset checks of Leeway's own: each reads committed evidence and says whether it is acceptable.

Belongs here: turning a node's recorded facts into a check result. Does not belong here: computing
the facts, or rules over tables (dbt's tests).
"""

from collections.abc import Callable, Sequence

import dagster as dg

from assets.stage import Stage
from leeway.gates import gates_told
from leeway.graph import graph_of
from resources.ledger import WHOLE, Commit
from resources.platform import Platform
from resources.traffic import windows

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
Judge = Callable[[Stage, Commit], dg.AssetCheckResult]


def build(stage: Stage) -> Sequence[dg.AssetChecksDefinition]:
    """The checks of one use case."""
    judges = {
        "few_rejects": ("Few rows of any batch were rejected.", rejects),
        "passes_gates": ("The held-out metrics keep every gate.", gates),
        "keeps_gates": ("No batch of the run, or else the newest one, breaks a gate.", kept),
        "no_drift": ("No batch of the run, or else the newest one, has drifted.", drift),
        "few_warnings": ("Few answers of any window of the run were warned of.", warnings),
        "no_damage": ("No batch of the run, or else the newest one, harms the champion.", harm),
        "is_balanced": ("Every cell of the design was run equally often.", balance),
        "has_pure_error": ("Repeated runs say how much one run varies.", pure_error),
        "best_setting_holds": ("A setting is predicted best, and no curvature denies it.", best),
    }
    return [
        _check(stage, node.name, name, *judges[name])
        for node in graph_of(stage.use_case)
        for name in node.checks
    ]


def _check(
    stage: Stage, node: str, name: str, description: str, judge: Judge
) -> dg.AssetChecksDefinition:
    """A check of what the node last committed; of a batched node, the worst of its batches."""

    @dg.asset_check(asset=stage.key(node), name=name, description=description)
    def check(context: dg.AssetCheckExecutionContext, platform: Platform) -> dg.AssetCheckResult:
        judged = [
            judge(stage, commit) for commit in _judged(platform, stage, node, context.run.run_id)
        ]
        if not judged:
            live = stage.node(node).live  # many use cases are not served: nothing is amiss
            return dg.AssetCheckResult(
                passed=live,
                severity=WARN,
                description=f"undefined: {node} has nothing to judge yet",
            )
        return max(judged, key=_badness)  # the first of equals, which is of the newest batch

    return check


def _judged(platform: Platform, stage: Stage, node: str, run_id: str) -> list[Commit]:
    """What a check looks at, newest batch first.

    Rejects are looked at in every batch, because training takes them all. Drift, damage and
    performance, and live traffic, are looked at in the batches of this run: that an older one had
    drifted, and was retrained for or not, is past.
    """
    committed = platform.ledger.every_current(stage.name)
    live = stage.node(node).live
    if live:
        known = [each.name for each in windows(platform.settings, stage.name)]
    else:
        known = platform.ledger.batches(stage.name)
    batches = [*reversed(known), WHOLE]
    found = [committed[node, batch] for batch in batches if (node, batch) in committed]
    if live or node in ("drift", "damage", "performance"):
        return [commit for commit in found if commit.run_id == run_id] or found[:1]
    return found


def _badness(result: dg.AssetCheckResult) -> int:
    return 0 if result.passed else 1 if result.severity is WARN else 2


def rejects(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails when a larger share of rows was rejected than the use case allows."""
    rejected, rows = commit.facts["rejected"], commit.facts["rows"]
    share, allowed = rejected / rows, stage.use_case.max_rejected
    left_out = "" if share <= allowed else " Training leaves the batch out."
    return dg.AssetCheckResult(
        passed=share <= allowed,
        severity=ERROR,
        description=f"Batch {commit.batch}: {rejected} of {rows} rows rejected, "
        f"{share:.1%}; allowed are {allowed:.1%}.{left_out}",
        metadata={
            "batch": commit.batch,
            "rejected_rows": rejected,
            "rows": rows,
            "allowed_share": allowed,
            "reasons": dg.MetadataValue.json(commit.facts["reasons"]),
        },
    )


def warnings(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails as a warning when a larger share of answers was warned of than may be rejected.

    An input outside of the training range, or of a category never seen, is answered all the same.
    """
    warned, rows, allowed = commit.facts["warned"], commit.rows or 0, stage.use_case.max_rejected
    share = warned / rows if rows else 0.0
    return dg.AssetCheckResult(
        passed=share <= allowed,
        severity=WARN,
        description=f"Window {commit.batch}: {warned} of {rows} answers came with a warning, "
        f"{share:.1%}; allowed are {allowed:.1%}, as of rejected rows.",
        metadata={
            "batch": commit.batch,
            "answers_with_a_warning": warned,
            "answers": rows,
            "warnings": dg.MetadataValue.json(commit.facts["warnings"]),
        },
    )


def gates(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails when a gate is broken: as an error where that rejects, as a warning where it holds."""
    return dg.AssetCheckResult(
        passed=not (commit.facts.get("broken_gates") or commit.facts["verdict"] == "reject"),
        severity=ERROR if commit.facts["verdict"] == "reject" else WARN,
        description=f"Version {commit.facts['version']}: {commit.facts['reason']}",
        metadata={"verdict": commit.facts["verdict"], "version": commit.facts["version"]},
    )


def kept(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails when a batch whose labels are in is proven to break a gate."""
    broken = commit.facts.get("broken_gates", [])  # an older installation has none
    _, told = gates_told(bool(stage.use_case.gates), broken, commit.rows or 0)
    return dg.AssetCheckResult(
        passed=not broken,
        severity=ERROR,
        description=f"Batch {commit.batch}: {told}",
        metadata={"batch": commit.batch, "labelled_rows": commit.rows or 0},
    )


def drift(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails as an error when drift is confirmed, as a warning when it is suspect or undefined.

    A batch that the champion was trained on passes: there is nothing left to do about it.
    """
    who = commit.facts.get("who_moved", "")  # an older installation has none
    return _of_verdict(commit, who, target_verdict=commit.facts["target_verdict"] or "undefined")


def harm(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails as an error when harm is confirmed, as a warning when it is suspect or undefined.

    A batch that the champion was trained on passes: the model knows rows such as these.
    """
    return _of_verdict(commit, metric=commit.facts["metric"])


def _of_verdict(commit: Commit, more: str = "", **shown: str) -> dg.AssetCheckResult:
    """`more` is said where the champion was not trained on the batch, which would end it."""
    verdict, trained_on = commit.facts["verdict"], commit.facts["trained_on"]
    known = "The champion was trained on this batch." if trained_on else more
    return dg.AssetCheckResult(
        passed=verdict == "none" or trained_on,
        severity=ERROR if verdict == "confirmed" else WARN,
        description=f"Batch {commit.batch}: {verdict}. {commit.facts['reason']} {known}".strip(),
        metadata={
            "batch": commit.batch,
            "verdict": verdict,
            "columns": ", ".join(commit.facts["columns"]) or "none",
            **shown,
        },
    )


def balance(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails as a warning when cells were run unequally often: sums of squares do not add up."""
    counts = commit.facts["runs_by_cell"]
    low, high = min(counts.values()), max(counts.values())
    few = [cell for cell, count in counts.items() if count < high]
    seldom = f"; run {', '.join(few)} again" if few else ""
    return dg.AssetCheckResult(
        passed=low == high,
        severity=WARN,
        description=f"Runs per cell: {low if low == high else f'{low} to {high}'}{seldom}.",
        metadata={"runs_by_cell": dg.MetadataValue.json(counts), "design": commit.facts["design"]},
    )


def pure_error(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails as a warning when nothing was repeated, or what was repeated does not vary."""
    source, undefined = commit.facts["error_source"], commit.facts["error_undefined"]
    variance, freedom = commit.facts["error_variance"], commit.facts["error_degrees_of_freedom"]
    pure = variance is not None and source != "lenth"
    if variance is None:
        description = f"undefined: {undefined}"
    elif pure:
        description = f"Variance {variance:.4g} on {freedom} degrees of freedom, by {source}."
    else:
        description = "No run was repeated: effects are judged by Lenth's method; repeat runs."
    return dg.AssetCheckResult(
        passed=pure,
        severity=WARN,
        description=description,
        metadata={"source": source, "degrees_of_freedom": freedom},
    )


def best(stage: Stage, commit: Commit) -> dg.AssetCheckResult:
    """Fails as a warning when no setting is predicted best, or curvature is significant.

    The best setting is a corner: with curvature, a better one may lie between the levels.
    """
    found, curvature = commit.facts["best"], commit.facts["curvature"]
    curved = curvature["significant"]
    if found["setting"] is None:
        description = f"undefined: {found['undefined']}"
    elif curved is None:
        description = (
            f"A corner is predicted best; curvature is undefined: {curvature['undefined']}."
        )
    elif curved:
        description = "Curvature is significant: a better setting may lie between the levels."
    else:
        description = "A corner is predicted best, and the centre points show no curvature."
    return dg.AssetCheckResult(
        passed=found["setting"] is not None and not curved,
        severity=WARN,
        description=description,
        metadata={"setting": dg.MetadataValue.json(found["setting"])},
    )
