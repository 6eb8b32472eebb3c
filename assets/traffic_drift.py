"""Stage `traffic_drift`: whether a window of live traffic looks like what the champion knows.

Belongs here: reading the window, and what its predictions are held against. Does not belong here:
the verdict, which is that of batches (`assets.drift`), or what follows (`leeway.controller`).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.drift import judge, keep, metadata_of_verdict
from assets.predictions import drift_of, outputs_told
from assets.released import Batch, node_of_batches
from assets.stage import Stage, Work
from leeway.data.tables import from_parquet
from leeway.digests import canonical_json
from leeway.drift.stored import from_bytes
from leeway.traffic.rows import answered_by, predictions_of

if TYPE_CHECKING:
    from resources.ledger import Commit


def build(stage: Stage) -> dg.AssetsDefinition:
    """The asset `traffic_drift` of a use case."""
    return node_of_batches(
        stage,
        "traffic_drift",
        "One row per column: how far what a service was asked in a window is from the reference.",
        "json",
        _materialize,
        without="there is no reference: drift is undefined",
    )


def _materialize(window: Batch) -> dict[str, Any]:
    work = window.begin("traffic_drift", "traffic")
    found: Commit = window.platform.ledger.require(window.stage.name, "traffic", window.name)
    judged = judge(window, from_bytes(work.get(found.facts["profile"])))
    predicted = _predictions(window, work)
    content = work.put("reports", "json", canonical_json(predicted))
    commit = keep(
        window,
        work,
        judged,
        "traffic",
        {
            "settled": {"release": window.champion.digest},
            "predictions": {
                "verdict": predicted["verdict"],
                "reason": predicted["reason"],
                "rows": predicted["rows"]["current"],
                **content,
            },
        },
    )
    return {
        **metadata_of_verdict(judged, commit, window),
        "drift_of_predictions": predicted["verdict"],
        "reason_of_predictions": predicted["reason"],
        "predictions_of_the_champion": predicted["rows"]["current"],
        "outputs": outputs_told(predicted),
    }


def _predictions(window: Batch, work: Work) -> dict[str, Any]:
    """Of what the champion answered: another release may answer otherwise, and rightly so."""
    table = from_parquet(work.read("traffic", window.name))
    champion = window.champion
    own = answered_by(table, champion.release.version)
    return drift_of(window, work, predictions_of(own, champion.manifest["classes"]))
