"""Stage `effects`: what an experiment says of each factor, and the setting that it predicts best.

Belongs here: reading the runs, calling the analysis, storing it with its plots. Does not belong
here: the analysis (`leeway.experiment`).
"""

from typing import Any

import dagster as dg

from assets.design import read_design
from assets.stage import Stage, begin, metadata_of, png
from leeway.digests import canonical_json
from resources.platform import Platform

UNDEFINED = "undefined"


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `effects` of a use case."""

    @stage.asset(
        "effects",
        "One row per effect by Yates' algorithm, with its interval, and the best setting.",
        "json",
    )
    def effects(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        from leeway.experiment.best_setting import best_setting
        from leeway.experiment.effects import analyse
        from leeway.experiment.plots import half_normal_plot, pareto_plot
        from leeway.experiment.runs import block_of
        from leeway.experiment.summary import whole_summary

        work = begin(stage, platform, context, "effects")
        analysis = analyse(read_design(stage, work))
        best = best_setting(analysis, block_of(stage.use_case).direction)
        found = whole_summary(analysis, best)
        commit = work.commit(
            "reports",
            "json",
            canonical_json(found),
            rows=len(found["effects"]),
            facts={
                name: found[name] for name in ("design", "runs", "effects", "curvature", "best")
            },
        )
        unit = stage.use_case.target.unit or stage.use_case.target.name
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                design=found["design"],
                aliases=found["defining_relation"] or "none: every effect stands alone",
                effects=dg.MetadataValue.table(_effect_records(found)),
                yates=dg.MetadataValue.table(_yates_records(found)),
                analysis_of_variance=dg.MetadataValue.table(_anova_records(found)),
                curvature=_curvature_text(found["curvature"], unit),
                best_setting=dg.MetadataValue.json(found["best"]),
                half_normal=png(half_normal_plot(analysis, unit)),
                pareto=png(pareto_plot(analysis, unit)),
            )
        )

    return effects


def _effect_records(found: dict[str, Any]) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "effect": " ".join([each["name"], *each["aliases"]]),
                "factors": " x ".join(each["factors"]),
                "estimate": _number(each["estimate"]),
                "low": _number(each["low"]),
                "high": _number(each["high"]),
                "p_value": _number(each["p_value"]),
            }
        )
        for each in found["effects"]
    ]


def _yates_records(found: dict[str, Any]) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "treatment": row["treatment"],
                "response": _number(row["response"]),
                **{f"({i})": _number(value) for i, value in enumerate(row["columns"], 1)},
                "divisor": row["divisor"],
                "estimate": _number(row["estimate"]),
                "effect": row["effect"],
            }
        )
        for row in found["yates"]
    ]


def _anova_records(found: dict[str, Any]) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {
                "source": row["source"],
                "sum_of_squares": _number(row["sum_of_squares"]),
                "degrees_of_freedom": row["degrees_of_freedom"],
                "mean_square": _number(row["mean_square"]),
                "f_value": _number(row["f_value"]),
                "p_value": _number(row["p_value"]),
            }
        )
        for row in found["anova"]
    ]


def _curvature_text(curvature: dict[str, Any], unit: str) -> str:
    if curvature["difference"] is None:
        return f"{UNDEFINED}: {curvature['undefined']}"
    tested = f"p {curvature['p_value']:.3g}" if curvature["significant"] is not None else UNDEFINED
    return (
        f"mean of the cells less that at the centre: {curvature['difference']:.4g} {unit}; {tested}"
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"
