"""What a release carries for its service: the inputs of a request, and golden rows.

Belongs here: storing them with the release. Does not belong here: what they are (`leeway.served`),
or serving.
"""

from typing import Any

from assets.stage import Work
from assets.training_set import read_part
from leeway.data.training_set import TRAIN
from leeway.digests import canonical_json


def served_files(work: Work, pipeline: Any) -> dict[str, Any]:
    """Digest and address of each file, by name."""
    from leeway.served.golden import golden_of, golden_rows, to_bytes
    from leeway.served.inputs import inputs_of

    rows = read_part(work, TRAIN)
    inputs = inputs_of(rows, work.stage.use_case)
    instances = golden_rows(rows, inputs, work.stage.use_case.search.seed)
    golden = golden_of(pipeline, instances, inputs)
    return {
        "inputs": work.put("models", "json", canonical_json([each.as_dict() for each in inputs])),
        "golden": work.put("models", "parquet", to_bytes(golden)),
    }
