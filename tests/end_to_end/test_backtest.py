"""`leeway backtest` on an installation that has lived: releases of real runs, and later batches.

Belongs here: the verb as a process, and what it takes from the ledger. Does not belong here: the
replay itself (tests/unit/test_backtest*.py), or the file of a policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from orchestration.jobs import RETRAINED
from tests.batches import penguins
from tests.end_to_end.conftest import Recorded
from tests.installed import Complete, Done
from tests.project_copy import NAME

pytestmark = pytest.mark.timeout(300)
CLEAN = ("raw", "staged", "clean", "profile")
TRAINED = RETRAINED[:6]  # up to the release
CALM = "drift: {effect: 0.05}\nretraining: {enabled: false}\n"


def moved(first_key: int, **by: float) -> pd.DataFrame:
    """Penguins of which some columns moved."""
    table = penguins(first_key=first_key, year=[2009])
    for column, change in by.items():
        table[column] += change
    return table


@pytest.fixture(scope="module")
def lived(installed: Complete) -> Complete:
    """A batch like the others, one that drifted, a second release, and two that drifted again."""
    installed.write("2010", penguins(first_key=2001, year=[2009]))
    installed.write("2011", moved(3001, bill_length_mm=10))
    trained = installed.leeway("run", NAME, "--select", ",".join([*CLEAN, *TRAINED]), "--json")
    assert (trained.code, trained.json["decision"]) == (0, "promoted"), trained.err
    installed.write("2012", moved(4001, flipper_length_mm=30))
    installed.write("2013", moved(5001, flipper_length_mm=30))
    clean = installed.leeway("run", NAME, "--select", ",".join(CLEAN))
    assert clean.code == 0, clean.err
    return installed


@dataclass(frozen=True)
class Compared:
    """Today's policy and one that answers nothing, over recorded models."""

    options: Sequence[str]
    done: Done
    picture: bytes
    before: dict[str, Any]

    @property
    def today(self) -> dict[str, Any]:
        found: dict[str, Any] = self.done.json["today"]
        return found


@pytest.fixture(scope="module")
def compared(
    lived: Complete, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory
) -> Compared:
    folder = tmp_path_factory.mktemp("compared")
    policy, picture = folder / "calm.yaml", folder / "found.png"
    policy.write_text(CALM)
    options = ("--policy", str(policy), "--change", "2011", "--json")
    before = recorded.counts()
    done = backtest(lived, *options, "--plot", str(picture))
    return Compared(options, done, picture.read_bytes(), before)


def backtest(lived: Complete, *options: str) -> Done:
    """The verb, which succeeds."""
    done = lived.leeway("backtest", NAME, *options)
    assert done.code == 0, done.err
    return done


def trainings(side: dict[str, Any]) -> list[tuple[str, str, bool, str]]:
    """Batch of the incident, model, whether it is known, and what became of it."""
    names = ("incident", "model", "known", "outcome")
    return [tuple(run[name] for name in names) for run in side["retrains"]]


def test_recorded_models_are_taken_again_and_where_none_is_it_is_said(
    lived: Complete, recorded: Recorded, compared: Compared, tmp_path: Path
) -> None:
    found, today = compared.done.json, compared.today
    assert found["models"] == "recorded"
    assert found["batches"] == {
        "trained_first": ["2007-2008", "2009"],
        "replayed": ["2010", "2011", "2012", "2013"],
    }
    detected, calm = today["detection"], found["other"]
    # The second release was trained on all that had come by 2011; for 2012 nobody trained.
    assert trainings(today) == [
        ("2011", "version 2", True, "promoted"),
        ("2012", "5 batches", False, "promoted"),
    ]
    assert [step["model"] for step in today["over_time"]] == [
        "version 1", "version 1", "version 2", "5 batches",
    ]  # fmt: skip
    assert [step["macro_f1"] is None for step in today["over_time"]] == [False] * 3 + [True]
    assert detected == [
        {"change": "2011", "alarm": "2011", "cause": "drift", "batches": 0, "days": 0.0}
    ]
    assert today["cost"]["seconds"] is None, "of a model that nobody has"
    _, second = recorded.releases.every(NAME)
    assert today["retrains"][0]["seconds"] == second.facts["training"]["training_seconds"] > 0

    assert (calm["trainings"], calm["alarms_by_cause"]["drift"]) == (0, 3), "none is answered"
    assert {step["model"] for step in calm["over_time"]} == {"version 1"}
    assert all(step["macro_f1"] for step in calm["over_time"])
    assert found["comparison"]["rows"] == today["rows_scored"] < calm["rows_scored"]
    (off,) = [note for note in found["notes"] if "retraining.enabled" in note]
    assert off.startswith("retraining.enabled is false in the other policy: alarms are raised")

    assert compared.picture.startswith(b"\x89PNG")
    again = backtest(lived, *compared.options, "--plot", str(tmp_path / "again.png"))
    assert again.out == compared.done.out
    assert (tmp_path / "again.png").read_bytes() == compared.picture
    assert recorded.counts() == compared.before, "nothing is written"


def test_a_picture_that_cannot_be_written_is_refused_before_the_replay(
    lived: Complete, tmp_path: Path
) -> None:
    """After it, minutes of a replay would be lost."""
    picture = tmp_path / "none" / "found.png"
    done = lived.leeway("backtest", NAME, "--json", "--plot", str(picture))
    told = f"--plot {picture}: No such file or directory; name a file that you may write"
    assert (done.code, done.json) == (1, {"error": told})
    assert "today's policy over" not in done.err
    assert not picture.parent.exists()


def test_refit_trains_the_algorithm_of_the_first_release_where_no_model_is_recorded(
    lived: Complete, recorded: Recorded, compared: Compared
) -> None:
    done = backtest(lived, "--refit", "--json")
    found = done.json
    assert found["models"] == "refitted"
    algorithm = recorded.releases.every(NAME)[0].algorithm
    assert found["notes"][0].startswith(f"{algorithm} of the first release is fitted again")
    steps = found["today"]["over_time"]
    assert [step["model"] for step in steps] == ["2 batches", "2 batches", "4 batches", "5 batches"]
    assert all(step["macro_f1"] for step in steps)
    # The same rows, algorithm and parameters are the recorded model again.
    for step, same in zip(steps[:2], compared.today["over_time"][:2], strict=True):
        assert step["macro_f1"] == same["macro_f1"]


def test_people_read_a_table_and_see_the_picture_on_the_node(
    lived: Complete, recorded: Recorded, compared: Compared
) -> None:
    """Of today's policy alone: without another beside it, it is found to do the same."""
    today = compared.today
    done = backtest(lived, "--on-node")
    assert done.out == ""
    (event,) = recorded.instance.fetch_observations(dg.AssetKey([NAME, "release"]), 2).records
    shown = event.asset_observation
    assert shown is not None
    assert shown.description == "Backtest over 4 batches, with recorded models."
    counts = f"{today['alarms']} alarms, 2 trainings, 2 promoted, 0 refused, 0 failed"
    assert shown.metadata["today"].value == counts
    picture = str(shown.metadata["metric_over_time"].value)
    assert picture.startswith("![plot](data:image/png;base64,iVBOR")
    assert len(picture) < 100_000
    table = " ".join(done.err.split())
    assert f"alarms {today['alarms']} (2 drift, " in table
    assert "2013 unknown none" in table
