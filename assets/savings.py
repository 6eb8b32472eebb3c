"""Stage `savings`: what the best setting of an experiment saves, and how soon it pays.

Belongs here: reading the runs, calling the calculation, storing it. Does not belong here: the
calculation (`leeway.experiment.payback`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.design import read_design
from assets.stage import Stage, begin, metadata_of
from leeway.digests import canonical_json
from resources.platform import Platform
from resources.warehouse import replace_table

if TYPE_CHECKING:
    import psycopg2.extensions

    from leeway.experiment.payback import Payback
    from leeway.spec import Costs

TABLE = "cost_savings"
# Names of intervals, each of which is three columns of the table.
INTERVALS = (
    "life_hours_before",
    "life_hours_after",
    "cost_per_unit_before",
    "cost_per_unit_after",
    "saving_per_unit",
    "saving_per_year",
    "roi_per_year",
)
COLUMNS = {
    "setting_before": "jsonb",
    "setting_after": "jsonb",
    "currency": "text",
    **{f"{name}{end}": "double precision" for name in INTERVALS for end in ("", "_low", "_high")},
    "units_per_year": "double precision",
    "investment": "double precision",
    "undefined": "text",
}


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `savings` of a use case."""

    @stage.asset(
        "savings",
        "One row: cost of a unit in production and at the best setting, the saving of a year, and "
        "that saving over the investment, with intervals.",
        "json",
        "postgres",
    )
    def savings(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        from leeway.experiment.best_setting import best_setting
        from leeway.experiment.effects import analyse
        from leeway.experiment.payback import payback
        from leeway.experiment.runs import block_of

        block = block_of(stage.use_case)
        if block.savings is None:
            raise ValueError(f"{stage.name}: experiment.savings is not declared")
        work = begin(stage, platform, context, "savings")
        analysis = analyse(read_design(stage, work))
        best = best_setting(analysis, block.direction)
        try:
            paid = payback(analysis, best, block.savings)
        except ValueError as error:
            raise dg.Failure(f"{stage.name}: {error}", allow_retries=False) from error
        row = _row(block.savings, paid, best.undefined)
        commit = work.commit(
            "reports",
            "json",
            canonical_json(row),
            rows=1,
            facts=row,
            also=partial(_load, stage=stage, row=row),
        )
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                **{"dagster/table_name": f"{stage.name}.{TABLE}"},
                roi_per_year_is="yearly saving over the investment: 1 pays it back within a year",
                caution="the intervals do not know that the best of several predictions was taken; "
                "confirm the setting by new runs",
                savings=dg.MetadataValue.table(_records(row)),
                setting_before=dg.MetadataValue.json(row["setting_before"]),
                setting_after=dg.MetadataValue.json(row["setting_after"]),
                undefined=row["undefined"] or "nothing",
            )
        )

    return savings


def _row(costs: "Costs", paid: "Payback | None", undefined: str | None) -> dict[str, Any]:
    """The row of the table; what is undefined is None, and `undefined` says why."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "setting_before": dict(costs.before),
        "currency": costs.currency,
        "units_per_year": costs.units_per_year,
        "investment": costs.investment,
        "undefined": undefined,
    }
    if paid is None:
        return row
    found = paid.savings
    intervals = {
        "life_hours_before": paid.life_hours_before,
        "life_hours_after": paid.life_hours_after,
        "cost_per_unit_before": found.cost_per_unit_before,
        "cost_per_unit_after": found.cost_per_unit_after,
        "saving_per_unit": found.saving_per_unit,
        "saving_per_year": found.saving,
        "roi_per_year": found.roi,
    }
    for name, interval in intervals.items():
        if interval is not None:
            row |= {f"{name}{end}": value for end, value in _ends(asdict(interval)).items()}
    reasons = [found.undefined, None if found.roi else "no investment, so no return on it"]
    return row | {
        "setting_after": dict(paid.after),
        "undefined": "; ".join(reason for reason in reasons if reason) or None,
    }


def _ends(interval: Mapping[str, Any]) -> dict[str, Any]:
    return {"": interval["value"], "_low": interval["low"], "_high": interval["high"]}


def _load(cursor: "psycopg2.extensions.cursor", *, stage: Stage, row: Mapping[str, Any]) -> None:
    """Replaces the table cost_savings."""
    import pyarrow as pa

    values = {
        name: json.dumps(value) if COLUMNS[name] == "jsonb" and value is not None else value
        for name, value in row.items()
    }
    kinds = {"double precision": pa.float64(), "jsonb": pa.string(), "text": pa.string()}
    rows = pa.table({name: pa.array([values[name]], kinds[COLUMNS[name]]) for name in COLUMNS})
    replace_table(cursor, stage.name, TABLE, COLUMNS, rows)


def _records(row: Mapping[str, Any]) -> list[dg.TableRecord]:
    return [
        dg.TableRecord(
            {"what": name}
            | {
                heading: "undefined"
                if row[f"{name}{end}"] is None
                else f"{row[f'{name}{end}']:.6g}"
                for heading, end in (("value", ""), ("low", "_low"), ("high", "_high"))
            }
        )
        for name in INTERVALS
    ]
