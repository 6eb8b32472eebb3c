"""What the analysis of an experiment says, as JSON.

Belongs here: names and nesting of the result. Does not belong here: any of its numbers
(`leeway.experiment.effects`, `.anova`, `.best_setting`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from leeway.experiment.anova import anova_table
from leeway.experiment.best_setting import BestSetting
from leeway.experiment.effects import Analysis, yates
from leeway.experiment.error import CONFIDENCE

NO_CENTRE = "no centre point was run"
NO_ERROR = "nothing independent of the effects estimates the error; repeat runs"


def design_summary(analysis: Analysis) -> dict[str, Any]:
    """What was run: description, aliases and the error of one run."""
    design, error = analysis.design, analysis.error
    return {
        "design": design.description,
        "resolution": design.aliases.resolution,
        "defining_relation": str(design.aliases) if design.generators else None,
        "runs": int(design.replicates.sum()) + len(design.centre),
        "error_source": error.source,
        "error_variance": error.variance,
        "error_degrees_of_freedom": error.degrees_of_freedom,
        "error_undefined": error.undefined,
    }


def effect_list(analysis: Analysis) -> list[dict[str, Any]]:
    """Each effect, in standard order: name, factors, aliases, estimate, interval, test."""
    return [
        {
            "name": effect.name,
            "factors": list(effect.factors),
            "aliases": list(effect.aliases),
            "estimate": effect.estimate,
            "low": effect.low,
            "high": effect.high,
            "p_value": effect.p_value,
            "significant": effect.significant,
        }
        for effect in analysis.effects
    ]


def curvature_summary(analysis: Analysis) -> dict[str, Any]:
    """The mean of the cells less that at the centre; `undefined` says what is not known, and why.

    `significant` is None when it cannot be tested.
    """
    found = analysis.curvature
    if found is None:
        return {"difference": None, "p_value": None, "significant": None, "undefined": NO_CENTRE}
    tested = found.p_value is not None
    return {
        "difference": found.difference,
        "p_value": found.p_value,
        "significant": found.p_value < 1 - CONFIDENCE if found.p_value is not None else None,
        "undefined": None if tested else NO_ERROR,
    }


def whole_summary(analysis: Analysis, best: BestSetting) -> dict[str, Any]:
    """All of the above with Yates' table, the analysis of variance and the best setting."""
    return {
        **design_summary(analysis),
        "confidence": CONFIDENCE,
        "mean": analysis.mean,
        "standard_error": analysis.standard_error,
        "margin": analysis.margin,
        "simultaneous_margin": analysis.simultaneous_margin,
        "effects": effect_list(analysis),
        "curvature": curvature_summary(analysis),
        "yates": [asdict(row) for row in yates(analysis.design)],
        "anova": [asdict(row) for row in anova_table(analysis)],
        "best": best_summary(best),
    }


def best_summary(best: BestSetting) -> dict[str, Any]:
    """The best setting with what is predicted there; `setting` None: `undefined` says why."""
    return {
        "setting": None if best.setting is None else dict(best.setting),
        "prediction": None if best.prediction is None else asdict(best.prediction),
        "terms": list(best.terms),
        "was_run": best.was_run,
        "undefined": best.undefined,
    }
