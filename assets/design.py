"""The runs of an experiment as a design, for the nodes that analyse them.

Belongs here: reading the runs, and refusing what is no design in the words of the use case. Does
not belong here: what makes a design (`leeway.experiment.design`).
"""

from typing import TYPE_CHECKING

import dagster as dg

from assets.stage import Stage, Work
from leeway.data.tables import from_parquet
from leeway.experiment.aliases import DesignError

if TYPE_CHECKING:
    import pyarrow as pa

    from leeway.experiment.design import Design


def read_design(stage: Stage, work: Work) -> "Design":
    """The design, for a node that reads `experiment`."""
    return design_of_runs(stage, from_parquet(work.read("experiment")))


def design_of_runs(stage: Stage, runs: "pa.Table") -> "Design":
    """The design that the runs are.

    Raises:
        dg.Failure: when they are none; names the run, where it is a matter of one.
    """
    from leeway.experiment.runs import design_of

    columns = {name: runs[name].to_pylist() for name in runs.column_names}
    try:
        return design_of(stage.use_case, columns)
    except DesignError as error:
        key, which = stage.use_case.key.name, ""
        if error.row is not None:
            run, batch = columns[key][error.row - 1], columns["batch_id"][error.row - 1]
            which = f". Row {error.row} is {key} {run} of batch {batch}"
        raise dg.Failure(f"{stage.name}: {error}{which}", allow_retries=False) from error
