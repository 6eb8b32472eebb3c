"""What a release carries for its service: the inputs of a request, golden rows, the fast path.

Belongs here: storing them with the release. Does not belong here: what they are (`leeway.served`,
`leeway.fast`), or serving.
"""

from typing import TYPE_CHECKING, Any

from assets.stage import Work
from assets.training_set import read_part
from leeway.data.training_set import TRAIN
from leeway.digests import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa


def served_files(
    work: Work, pipeline: Any, held_out: "pa.Table"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Digest and address of each file, by name; and what is proven of the fast path.

    Args:
        pipeline: fitted.
        held_out: the test part, on which the fast path must do as the pipeline does.
    """
    from leeway.fast.proof import proven_fast_path
    from leeway.served.golden import golden_of, golden_rows, to_bytes
    from leeway.served.inputs import inputs_of

    rows = read_part(work, TRAIN)
    inputs = inputs_of(rows, work.stage.use_case)
    instances = golden_rows(rows, inputs, work.stage.use_case.search.seed)
    golden = golden_of(pipeline, instances, inputs)
    files = {
        "inputs": work.put("models", "json", canonical_json([each.as_dict() for each in inputs])),
        "golden": work.put("models", "parquet", to_bytes(golden)),
    }
    fast, told = proven_fast_path(pipeline, golden, held_out, inputs)
    if fast is not None:
        files["fast"] = work.put("models", "msgpack", fast)
    return files, told
