"""The key of a run that is asked for again where it failed.

Belongs here: that. Does not belong here: what asks for runs, or retraining, whose attempts the
controller counts.
"""

import dagster as dg

MOST = 3  # runs for one cause; what fails thrice is for a person to look at
_KEY_TAG = "dagster/run_key"  # which Dagster gives a run that a sensor asked for
_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def next_try(instance: dg.DagsterInstance, cause: str) -> str:
    """The key of the run for a cause: of the one that is asked for already, or of the next try.

    Dagster makes one run of a key, ever: of the key of a run that failed there would be no other.
    """
    keys = [cause, *(f"{cause}:{number}" for number in range(2, MOST + 1))]
    for key in keys[:-1]:
        runs = instance.get_runs(dg.RunsFilter(tags={_KEY_TAG: key}), limit=1)
        if not runs or runs[0].status not in _FAILED:
            return key
    return keys[-1]
