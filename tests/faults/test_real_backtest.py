"""A backtest of real tables in time order: when retraining helps, and when its gate has to refuse.

    LEEWAY_KILLS=1 LEEWAY_DATA_DIR=... .venv/bin/pytest tests/faults/test_real_backtest.py

Each table is replayed under three policies: the model is never trained again; it is at each alarm,
and a gate decides about the new one; it is at each alarm, and the new one always serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leeway.backtest.clock import in_time
from leeway.backtest.cut import cut_by_time
from leeway.backtest.facts import Trained
from leeway.backtest.models import Recipe, Refitted
from leeway.backtest.plan import first_third
from leeway.backtest.report import Replayed, Report
from leeway.backtest.walk import walk
from leeway.controller.facts import Cause
from leeway.drift.declared import profile_table
from leeway.drift.stored import Stored
from leeway.release import Comparison, compare_losses
from leeway.spec import UseCase
from resources.files import read_file
from tests.faults.harness import figure
from tests.faults.real_tables import DATA, REAL_TABLES

pytestmark = REAL_TABLES
KEY = {"name": "id", "type": "integer", "role": "key", "description": "."}
# Model by model the same algorithm: what differs is when it was trained, and who served.
RECIPE = Recipe("gradient_boosting")


class WithoutGate(Refitted):
    """Each model that could be trained serves, however it is beside the champion."""

    def train(
        self, batches: Sequence[str], champion: Trained, cause: Cause, batch: str, case: UseCase
    ) -> Trained:
        found = super().train(batches, champion, cause, batch, case)
        return found if found.outcome == "failed" else replace(found, outcome="promoted")


@dataclass(frozen=True)
class Sides:
    """The three policies on one table, and the losses of guessing the same for every row."""

    models: Refitted
    never: Replayed
    gated: Replayed
    naive: Replayed
    guess: Comparison

    def told(self) -> list[str]:
        """One line per policy."""
        lines = [f"a constant guess: mean loss {shown(self.guess)}"]
        for name in ("never", "gated", "naive"):
            side: Replayed = getattr(self, name)
            losses = side.losses
            assert losses is not None
            mean = compare_losses(losses, np.zeros_like(losses))
            lines.append(
                f"{name}: {len(side.alarms)} alarms, {len(side.walked.retrains)} trainings, "
                f"{side.count('promoted')} promoted, {side.refused} refused, "
                f"mean loss {shown(mean)}"
            )
        return lines

    def less(self, one: str, other: str) -> Comparison:
        """Mean loss of one policy less another's; below 0 the one is better."""
        found = Report("real", "refitted", [], getattr(self, other), getattr(self, one)).comparison
        assert found is not None
        return found


def shown(found: Comparison) -> str:
    assert found.difference is not None
    assert found.low is not None
    assert found.high is not None
    return f"{found.difference:.4g} ({found.low:.4g} to {found.high:.4g})"


def steps_of(begin: datetime, step: timedelta, rows: int) -> pa.Array:
    return pa.array([begin + step * row for row in range(rows)], pa.timestamp("us", tz="UTC"))


def timed(file: str, target: str, begin: datetime, step: timedelta) -> pa.Table:
    """A table of numbers and a label of 0 or 1, with the time that its origin left out."""
    table = read_file(DATA / file)
    features = {n: pc.cast(table[n], pa.float64()) for n in table.column_names if n != target}
    label = pc.if_else(pc.equal(table[target], "1"), "yes", "no")
    at = steps_of(begin, step, table.num_rows)
    return pa.table({"id": pa.array(range(table.num_rows)), "at": at, **features, "label": label})


def classified(table: pa.Table, by: str) -> UseCase:
    features = [name for name in table.column_names if name not in ("id", "at", "label")]
    return UseCase.model_validate(
        {
            "title": "In time order",
            "task": "classification",
            "source": {"kind": "file", "path": "table.csv"},
            "columns": [
                KEY,
                {"name": "at", "type": "timestamp", "role": "time", "description": "."},
                *({"name": each, "type": "number", "description": "."} for each in features),
                {"name": "label", "type": "category", "role": "target", "values": ["no", "yes"],
                 "description": "."},
            ],
            "split": {"by": by},
        }
    )  # fmt: skip


def electricity() -> pa.Table:
    begin = datetime(1996, 5, 7, tzinfo=UTC)
    return timed("electricity_elec2/elec.csv.gz", "class", begin, timedelta(minutes=30))


def weather() -> pa.Table:
    begin = datetime(1949, 1, 1, tzinfo=UTC)
    return timed("noaa_weather/weather.csv.gz", "target", begin, timedelta(days=1))


def realtor() -> tuple[dict[str, pa.Table], UseCase]:
    """Listings state by state, 20 batches in the order of the file, which stands for time."""
    table = read_file(DATA / "realtor_usa/realtor_raw_12k.csv.gz")
    names = ("price", "bed", "bath", "acre_lot", "house_size")
    columns = {name: pc.cast(table[name], pa.float64()) for name in names}
    rows = pa.array(range(table.num_rows))
    whole = pa.table({"id": rows, "place": rows, **columns, "state": table["state"]})
    whole = whole.filter(
        pc.and_(pc.greater_equal(whole["price"], 1e4), pc.less_equal(whole["price"], 5e6))
    )
    case = UseCase.model_validate(
        {
            "title": "In the order of the file",
            "task": "regression",
            "source": {"kind": "file", "path": "table.csv"},
            "columns": [
                KEY,
                {"name": "place", "type": "integer", "role": "time", "description": "."},
                *({"name": each, "type": "number", "description": "."} for each in names[1:]),
                {"name": "state", "type": "category", "description": ".",
                 "values": sorted(pc.unique(whole["state"]).to_pylist())},
                {"name": "price", "type": "number", "role": "target", "unit": "USD",
                 "description": "."},
            ],
            "split": {"by": "time"},
        }
    )  # fmt: skip
    parts = np.array_split(np.arange(whole.num_rows), 20)
    batches = {
        f"part {number:02d}": whole.take(pa.array(part)) for number, part in enumerate(parts)
    }
    return {
        name: rows.append_column("batch_id", pa.array([name] * rows.num_rows))
        for name, rows in batches.items()
    }, case


@cache
def sides(name: str, by: str = "time") -> Sides:
    """The replays of a table; rows are held out by time, or at random."""
    if name == "realtor":
        tables, case = realtor()
    else:
        table = {"electricity": electricity, "weather": weather}[name]()
        case = classified(table, by)
        tables, _ = cut_by_time(table, case)
    found = replayed(name, tables, case)
    told = f"{name}, {len(tables)} batches, held out by {by}"
    for line in found.told():
        figure(f"backtest: {told}: {line}")
    for one, other in (("gated", "never"), ("naive", "never"), ("gated", "naive")):
        figure(f"backtest: {told}: {one} less {other}: {shown(found.less(one, other))}")
    return found


def replayed(name: str, tables: Mapping[str, pa.Table], case: UseCase) -> Sides:
    stored = {
        each: Stored({"clean": profile_table(rows, case.columns)}) for each, rows in tables.items()
    }
    first, batches = first_third(list(tables)), in_time(tables, stored, case)
    gate, without = (kind(case, tables, stored, first, RECIPE) for kind in (Refitted, WithoutGate))
    without.fitted = gate.fitted  # the same rows give the same model
    never = under(case, enabled=False)
    naive = under(case, longest_wait="1d")  # no training without benefit makes it wait
    return Sides(
        gate,
        Replayed(never, walk(name, never, batches, gate)),
        Replayed(case, walk(name, case, batches, gate)),
        Replayed(naive, walk(name, naive, batches, without)),
        guessed(tables, first, case),
    )


def under(case: UseCase, **policy: Any) -> UseCase:
    return case.model_copy(update={"retraining": case.retraining.model_copy(update=policy)})


def guessed(tables: Mapping[str, pa.Table], first: Sequence[str], case: UseCase) -> Comparison:
    """Losses of the share of each class, or the median, of the first batches."""
    known, later = (
        np.array(pa.concat_tables(found)[case.target.name].to_pylist())
        for found in (
            [tables[name] for name in first],
            [rows for name, rows in tables.items() if name not in first],
        )
    )
    if case.task == "regression":
        losses: Any = np.abs(later - np.median(known))
    else:
        losses = -np.log([np.mean(known == label) for label in later])
    return compare_losses(losses, np.zeros_like(losses))


def hindsight(found: Sides) -> list[Comparison]:
    """For each model that was refused: its loss on the batch after, less that of the one kept."""
    steps = {step.batch.name: step for step in found.gated.walked.steps}
    names = list(steps)
    made = []
    for run in found.gated.walked.retrains:
        place = names.index(run.incident.batch) + 1
        if run.trained.outcome != "held" or place == len(names):
            continue
        kept, refused = steps[names[place]].scored, found.models.score(run.trained, names[place])
        assert kept is not None
        assert refused is not None
        made.append(compare_losses(refused.losses, kept.losses))
    return made


def test_electricity_the_gate_refuses_models_that_would_have_been_worse() -> None:
    """The newest rows judge: the model of all months so far is often worse on them."""
    found = sides("electricity")
    after = hindsight(found)
    worse, better = (
        sum(each.low > 0 for each in after),  # type: ignore[operator]
        sum(each.high < 0 for each in after),  # type: ignore[operator]
    )
    figure(
        f"backtest: electricity: of {len(after)} refused models, {worse} would have been worse in "
        f"the month after, {better} better: {', '.join(shown(each) for each in after)}"
    )
    assert worse >= 3
    assert worse > 2 * better
    assert found.naive.refused == 0
    assert found.less("gated", "naive").high < 0  # type: ignore[operator]
    assert found.less("gated", "never").high < 0  # type: ignore[operator]


def test_electricity_rows_held_out_at_random_refuse_nothing() -> None:
    """They judge by the mixture of all months; yet a model of the newest rows, too, is better."""
    found = sides("electricity", "random")
    assert found.gated.refused == 0
    assert found.less("gated", "never").high < 0  # type: ignore[operator]


def test_weather_each_training_helps_and_none_is_refused() -> None:
    found = sides("weather")
    assert found.gated.count("promoted") == len(found.gated.walked.retrains) > 0
    assert found.less("gated", "never").high < 0  # type: ignore[operator]


def test_realtor_a_model_of_other_states_is_worse_than_a_guess_until_it_is_trained() -> None:
    found = sides("realtor")
    never, gated = found.never.losses, found.gated.losses
    assert never is not None
    assert gated is not None
    assert found.guess.difference is not None
    assert gated.mean() < found.guess.difference < never.mean()
