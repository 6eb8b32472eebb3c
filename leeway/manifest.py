"""The manifest of a release: everything that must change together, as JSON.

Belongs here: what a manifest holds, whether a use case can still use it, and how it reads. Does not
belong here: storing it (`assets.release`), or the verdict in it (`leeway.release`).
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten
from typing import Any

from leeway.evidence import Evidence
from leeway.spec import UseCase

# What MLflow keeps of a description: its column in PostgreSQL refuses more.
LONGEST_DESCRIPTION = 5000
_OF_SEGMENTS = ("accuracy", "mean_cost", "log_loss_nats", "mae", "mape_percent")


def manifest_of(
    name: str,
    use_case: UseCase,
    tuned: Mapping[str, Any],
    evidence: Evidence,
    *,
    version: int,
    batches: list[str],
    threshold: Mapping[str, Any] | None,
    importance: list[dict[str, Any]],
    files: Mapping[str, Any],
    fast: Mapping[str, Any],
    libraries: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest of a trained model.

    Args:
        name: of the use case.
        tuned: what `tuned_model` stored.
        version: of the release.
        batches: those of the training set.
        threshold: that decides between two classes, where the use case has costs.
        importance: the features that move predictions most, with their `mean_abs_shap`.
        files: digest and URI of each file of the release, by name.
        fast: the path that answers requests, and what is proven of it or why it is no other.
        libraries: versions that the model was made with, by distribution.
    """
    return {
        "use_case": name,
        "version": version,
        "title": use_case.title,
        "task": use_case.task,
        "algorithm": tuned["algorithm"],
        "parameters": tuned["parameters"],
        "batches": batches,
        "training_key": tuned["training_key"],
        "classes": tuned["classes"],
        "threshold": threshold,
        "columns": _columns(use_case),
        "importance": importance,
        "files": dict(files),
        "fast": dict(fast),
        "metrics": {metric: found.as_dict() for metric, found in evidence.metrics.items()},
        "segments": {
            segment: {metric: found.as_dict() for metric, found in metrics.items()}
            for segment, metrics in evidence.segments.items()
        },
        "confusion": evidence.confusion,
        "decision": evidence.decision.as_dict(),
        "libraries": dict(libraries),
    }


def _columns(use_case: UseCase) -> list[dict[str, Any]]:
    """The key, the features and the target, as a release records them."""
    return [
        column.model_dump(mode="json", include={"name", "type", "role", "unit", "range", "values"})
        for column in use_case.columns
        if column.role in ("feature", "target", "key")
    ]


def fits(manifest: Mapping[str, Any], use_case: UseCase) -> bool:
    """Whether the model of a manifest can predict for the use case as it is now.

    It can when key, features and target have the same names and types. Another range, unit or
    set of values changes which rows come in, and not what the model reads.
    """

    def shape(columns: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {(column["name"], column["type"], column["role"]) for column in columns}

    return bool(
        manifest["task"] == use_case.task
        and shape(manifest["columns"]) == shape(_columns(use_case))
    )


def describe(manifest: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """The release as Markdown, for people who look at the registry.

    It has at most `LONGEST_DESCRIPTION` characters; the manifest has what is left out.

    Args:
        manifest: of the release.
        training: its `training_seconds`, `git_commit` and `user`; None where they are unknown.
    """
    lines = [
        f"**{manifest['title']}**, version {manifest['version']}: {manifest['algorithm']}.",
        "",
        f"Verdict: {manifest['decision']['verdict']}. {manifest['decision']['reason']}",
        "",
        f"Trained in {_known(training['training_seconds'])} seconds by {_known(training['user'])} "
        f"at commit `{_known(training['git_commit'])}`.",
        "",
        "| metric on held-out rows | value | 95 % interval | unit | rows |",
        "|---|---|---|---|---|",
        *(_line(name, metric) for name, metric in manifest["metrics"].items()),
    ]
    features = ", ".join(f"`{name}`" for name in _names(manifest, "feature"))
    features = shorten(features, LONGEST_DESCRIPTION // 4, placeholder=" and more")
    strongest = ", ".join(
        f"`{each['feature']}` {each['mean_abs_shap']:.3g}" for each in manifest["importance"]
    )
    trained_on = manifest["files"]["training_set"]
    lines += ["", f"Parameters: `{manifest['parameters']}`"]
    lines += ["", f"Features: {features}"]
    lines += ["", f"Most important by their mean absolute SHAP value: {strongest}"]
    lines += ["", f"Training set: `{trained_on['digest']}` at `{trained_on['uri']}`"]
    text = "\n".join(lines)
    return text + _segment_table(manifest["segments"], LONGEST_DESCRIPTION - len(text))


def _segment_table(segments: Mapping[str, Mapping[str, Any]], longest: int) -> str:
    """One line per segment, as many as there is room for; empty where there is no segment.

    It has the metrics that a segment can have which lacks a class.
    """
    if not segments:
        return ""
    names = [name for name in _OF_SEGMENTS if name in next(iter(segments.values()))]
    table = f"\n\n| segment | rows | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}"
    left = len(segments)
    for segment, metrics in segments.items():
        rows = metrics[names[0]]["rows"]
        cells = " | ".join(_with_interval(metrics[name]) for name in names)
        name = shorten(segment, 80).replace("|", "/")
        line = f"\n| {name} | {rows} | {cells} |"
        more = f"\n\nThe manifest has {left} further segments."
        if len(table) + len(line) + len(more) > longest:
            return table + more
        table += line
        left -= 1
    return table


def tags_of(manifest: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, str]:
    """What a registry finds the release by, such as its algorithm and its held-out metrics.

    Args:
        manifest: of the release.
        training: as of `describe`.
    """
    algorithm = manifest["algorithm"]
    return {
        "leeway.version": str(manifest["version"]),
        "leeway.verdict": manifest["decision"]["verdict"],
        "algorithm": algorithm,
        "framework": "xgboost" if algorithm == "xgboost" else "scikit-learn",
        "target": _names(manifest, "target")[0],
        "features": str(len(_names(manifest, "feature"))),
        **{name: _known(value) for name, value in training.items()},
        "optuna_study": f"{manifest['use_case']}/{manifest['training_key']}",
        **{
            name: f"{metric['value']:.6g}"
            for name, metric in manifest["metrics"].items()
            if metric["value"] is not None
        },
    }


def _names(manifest: Mapping[str, Any], role: str) -> list[str]:
    return [column["name"] for column in manifest["columns"] if column["role"] == role]


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)


def _with_interval(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return "undefined"
    if metric["low"] is None:
        return f"{metric['value']:.4g}"
    return f"{metric['value']:.4g} ({metric['low']:.4g} to {metric['high']:.4g})"


def _line(name: str, metric: Mapping[str, Any]) -> str:
    value = interval = "undefined"
    if metric["value"] is not None:
        value = f"{metric['value']:.4g}"
    if metric["low"] is not None:
        interval = f"{metric['low']:.4g} to {metric['high']:.4g}"
    return f"| {name} | {value} | {interval} | {metric['unit']} | {metric['rows']} |"
