"""A model that keeps itself in shape under `leeway dev`, with the real daemon and its clock.

Belongs here: what follows when a file arrives and nobody types anything. Does not belong here: the
decision, tick by tick (tests/graph/test_ticks.py). It takes ten minutes:

    LEEWAY_KILLS=1 .venv/bin/pytest -s tests/end_to_end/test_live.py
"""

from __future__ import annotations

import time

import pytest

from tests.batches import penguins
from tests.dev_server import dev
from tests.end_to_end.conftest import Recorded
from tests.faults.harness import LONG, figure, until
from tests.graph.conftest import LONGER_BY_MM
from tests.installed import Complete
from tests.project_copy import NAME, set_attributes

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not LONG, reason="minutes: make proof"),
    pytest.mark.timeout(1800),
]
SETTLED_SECONDS = 120  # four rounds of each sensor
LAST_NODE = "report"


def has_performance(recorded: Recorded, batch: str) -> bool:
    return recorded.ledger.current(NAME, LAST_NODE, batch) is not None


def retrainings(recorded: Recorded) -> int:
    return sum(run.job_name == f"{NAME}_retrain" for run in recorded.instance.get_runs())


def test_a_quiet_batch_is_taken_in_and_a_drifted_one_trains_once(
    installed: Complete, recorded: Recorded
) -> None:
    set_attributes(installed.project, retraining={"cooldown": "5s"})
    with dev(installed) as it:
        it.says("Ctrl-C", 120)
        time.sleep(SETTLED_SECONDS)  # what was there when the daemon first looked is not asked for
        begun = recorded.counts()

        installed.write("2010", penguins(first_key=2001, year=[2009]))
        quiet = until(lambda: has_performance(recorded, "2010"), 300)
        assert quiet is not None, "the quiet batch was not taken in"
        time.sleep(SETTLED_SECONDS)
        assert retrainings(recorded) == 0
        assert len(recorded.releases.every(NAME)) == begun["releases"] == 1

        drifted = penguins(first_key=3001, year=[2009])
        drifted["bill_length_mm"] += LONGER_BY_MM
        installed.write("2011", drifted)
        trained = until(lambda: len(recorded.releases.every(NAME)) == 2, 400)
        assert trained is not None, "the drifted batch led to no release"
        time.sleep(SETTLED_SECONDS)
        assert retrainings(recorded) == 1, "one confirmed drift, one training"
        first, second = recorded.releases.every(NAME)
        assert (first.version, second.version) == (1, 2)
        assert second.incident
        assert second.reason
    figure(
        f"leeway dev: a quiet batch was taken in after {quiet:.0f} s and nothing followed; bills "
        f"{LONGER_BY_MM:.0f} mm longer led after {trained:.0f} s to one training, version "
        f"{second.version} ({second.verdict}), and to nothing more within {SETTLED_SECONDS} s"
    )
