"""The positive control: a sensor as one writes it first, beside the definitions of the project.

It asks for a training for each incident that came after the cursor: no run key, no record of what
was decided. Leeway's own sensor is switched off by LEEWAY_RETRAINING.
"""

from __future__ import annotations

import dagster as dg

from orchestration.build import build_defs
from resources.platform import Platform
from resources.postgres import transaction


@dg.sensor(
    job_name="penguins_retrain",
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def naive(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """One run for each incident beyond the cursor."""
    seen = int(context.cursor or 0)
    with transaction(platform.settings) as cursor:
        cursor.execute(
            "select seq, batch, digest from leeway.incidents where cause = 'drift' and seq > %s "
            "order by seq",
            (seen,),
        )
        found = cursor.fetchall()
    asked = [
        dg.RunRequest(partition_key=batch, tags={"naive/incident": digest})
        for _, batch, digest in found
    ]
    return dg.SensorResult(run_requests=asked, cursor=str(found[-1][0] if found else seen))


@dg.definitions
def defs() -> dg.Definitions:
    """The project's, and the naive sensor."""
    return dg.Definitions.merge(build_defs(), dg.Definitions(sensors=[naive]))
