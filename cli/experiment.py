"""What `leeway status` and `leeway demo` say of a use case that is an experiment.

Belongs here: recorded facts of the nodes effects and savings in the form of the status. Does not
belong here: the status itself (`cli.status`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leeway.spec import UseCase
from resources.ledger import WHOLE, Commit

Commits = Mapping[tuple[str, str], Commit]
NO_DRIFT = "an experiment has no champion that a batch could drift from"


def experiment_status(use_case: UseCase, commits: Commits) -> dict[str, Any]:
    """The parts of the status that are other than those of a model; of no model are None or empty.

    `champion` names the design and its best setting, where `setting` may be None: `undefined` says
    why. It is None before the experiment was analysed.
    """
    effects, savings = (commits.get((node, WHOLE)) for node in ("effects", "savings"))
    return {
        "champion": None if effects is None else _champion(use_case, effects),
        "effects": [] if effects is None else _effects(effects),
        "metrics": _metrics(use_case, effects, savings),
        "drift": {"batch": None, "verdict": "undefined", "reason": NO_DRIFT, "columns": []},
    }


def _champion(use_case: UseCase, effects: Commit) -> dict[str, Any]:
    best = effects.facts["best"]
    setting = best["setting"]
    if setting is not None and use_case.experiment is not None:
        # The ledger does not keep the order of the factors.
        names = [factor.column for factor in use_case.experiment.factors]
        setting = {name: setting[name] for name in names}
    return {
        "design": effects.facts["design"],
        "setting": setting,
        "terms": best["terms"],
        "was_run": best["was_run"],
        "undefined": best["undefined"],
        "analysis": effects.digest,
    }


def _effects(effects: Commit) -> list[dict[str, Any]]:
    names = ("name", "factors", "aliases", "estimate", "low", "high")
    return [{name: each[name] for name in names} for each in effects.facts["effects"]]


def _metrics(
    use_case: UseCase, effects: Commit | None, savings: Commit | None
) -> dict[str, dict[str, Any]]:
    """The mean response that is predicted at the best setting, and what that saves."""
    if effects is None:
        return {}
    rows = effects.facts["runs"]
    found = effects.facts["best"]["prediction"] or {}
    response = use_case.target
    metrics = {
        f"predicted_{response.name}": {
            "value": found.get("estimate"),
            "low": found.get("mean_low"),
            "high": found.get("mean_high"),
            "unit": response.unit or "response unit",
            "rows": rows,
        }
    }
    if savings is None:
        return metrics
    row = savings.facts
    for name, unit in (("saving_per_year", row["currency"]), ("roi_per_year", "fraction")):
        ends = {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}
        metrics[name] = {**ends, "unit": unit, "rows": rows}
    return metrics


def setting_text(champion: Mapping[str, Any]) -> str:
    """The best setting in words, such as `speed low, angle 30`; `no best setting` without one."""
    if champion["setting"] is None:
        return "no best setting"
    chosen = {name: level for name, level in champion["setting"].items() if level is not None}
    return ", ".join(f"{name} {level}" for name, level in chosen.items())


def effects_text(effects: Sequence[Mapping[str, Any]]) -> str:
    """Each effect with its interval, the largest first, such as `B 11.3 [6.58, 16.1]`."""
    ordered = sorted(effects, key=lambda each: -abs(each["estimate"]))
    return "; ".join(
        f"{each['name']} {each['estimate']:.3g} "
        + ("undefined" if each["low"] is None else f"[{each['low']:.3g}, {each['high']:.3g}]")
        for each in ordered
    )


def savings_text(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Saving and return with their intervals; `none declared` when no costs are."""
    texts = []
    for name in ("saving_per_year", "roi_per_year"):
        if name in metrics:
            value, low, high, unit = (
                metrics[name][key] for key in ("value", "low", "high", "unit")
            )
            interval = "" if low is None else f" [{low:,.2f}, {high:,.2f}]"
            shown = "undefined" if value is None else f"{value:,.2f}{interval}"
            texts.append(f"{name} {shown}" + ("" if unit == "fraction" else f" {unit}"))
    return "; ".join(texts) or "none declared"
