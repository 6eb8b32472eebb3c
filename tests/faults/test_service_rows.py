"""The same rows offline and online: what the pipeline makes of a table, the service answers.

Belongs here: rows with gaps, categories that training never saw and numbers outside of what it saw,
as a table for the fitted pipeline and as requests for a running service. Does not belong here: rows
that are not allowed (tests/unit/test_contract.py), or the golden rows (tests/unit/test_golden.py).

Reliability matrix, D10. Each row has to have the same bits, and a warning where it was changed to
what training never saw.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from leeway.data.frames import frame_of
from leeway.served.inputs import inputs_of, table_of
from leeway.spec import UseCase
from resources.settings import Settings
from tests.faults.harness import figure, seeded, times, zero
from tests.faults.released import ROWS, Made, make, make_champion, served
from tests.service.service import PREDICT, Client
from tests.unit.measured_penguins import ATTRIBUTES, TABLE
from tests.unit.release_files import CLASSES

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]
AT_ONCE = 100
FEATURES = (
    {"kind": "ratio", "name": "bill_ratio", "numerator": "bill_length_mm",
     "denominator": "bill_depth_mm"},
    {"kind": "clusters", "name": "shape", "of": ["flipper_length_mm", "body_mass_g"], "k": 3},
)  # fmt: skip


def use_case() -> UseCase:
    """Penguins of any sex, on an island more than there are rows of, with a ratio and clusters."""
    changed: dict[str, dict[str, Any]] = {
        "island": {"values": ["Atlantis", "Biscoe", "Dream", "Torgersen"]},
        "sex": {"values": None},
    }
    columns = [{**each, **changed.get(each["name"], {})} for each in ATTRIBUTES["columns"]]
    return UseCase.model_validate(ATTRIBUTES | {"columns": columns, "features": FEATURES})


INPUTS = inputs_of(TABLE, use_case())


# By what is asked of it: the trees see each row apart, and the linear model has sums over features
# whose last bits depend on how many rows there are.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "forest": ("random_forest", {"n_estimators": 20}),
    "linear": ("logistic_regression", {}),
}


@pytest.fixture(scope="module", params=MODELS)
def made(shared: Settings, request: pytest.FixtureRequest) -> Made:
    version = 1 + list(MODELS).index(request.param)
    found = make(shared, version, use_case(), *MODELS[request.param])
    make_champion(shared, version)
    return found


@pytest.fixture(scope="module")
def client(shared: Settings, made: Made) -> Iterator[Client]:
    with served(shared) as found:
        yield found


def changed(row: dict[str, Any], draw: random.Random) -> tuple[dict[str, Any], set[str]]:
    """The row with some inputs changed, and those of them that have to be warned of."""
    found, warned = dict(row), set()
    for each in draw.sample(INPUTS, draw.randint(1, 3)):
        how = draw.choice(["missing", "absent", "unlike"])
        if how == "absent":
            del found[each.name]
        elif how == "missing":
            found[each.name] = None
        elif each.type == "category":
            found[each.name] = "Atlantis" if each.values else draw.choice(["x", "Ünbekannt", "'"])
            warned.add(each.name)
        else:
            assert each.low is not None
            assert each.seen_low is not None
            assert each.high is not None
            assert each.seen_high is not None
            ends = [(each.low, each.seen_low), (each.seen_high, each.high)]
            found[each.name] = draw.uniform(*draw.choice(ends))
            if not each.seen_low <= found[each.name] <= each.seen_high:
                warned.add(each.name)
    return found, warned


def test_the_service_answers_what_the_pipeline_makes_of_the_same_table(
    client: Client, made: Made
) -> None:
    linear = made.manifest["algorithm"] == "logistic_regression"
    draw, count = seeded("rows"), times(20) * (10 if linear else 100)
    rows: list[dict[str, Any]] = []
    warned: list[set[str]] = []
    for _ in range(count):
        row = draw.choice(ROWS)
        found, odd = changed(row, draw) if draw.random() < 0.2 else (row, set())
        rows.append(found)
        warned.append(odd)
    frame = frame_of(table_of(rows, INPUTS), INPUTS)
    parts = [frame.iloc[[row]] for row in range(count)] if linear else [frame]
    offline = np.vstack([made.pipeline.predict_proba(part) for part in parts])
    answers: list[dict[str, Any]] = []
    for first in range(0, count, AT_ONCE):
        status, said = client.post(PREDICT, {"instances": rows[first : first + AT_ONCE]})
        assert status == 200, said
        answers += said["predictions"]
    online = np.array([[each["probabilities"][name] for name in CLASSES] for each in answers])
    differences = int((online != offline).any(axis=1).sum())
    decided = [CLASSES[place] for place in offline.argmax(axis=1)]
    assert [each["prediction"] for each in answers] == decided
    assert [{w["input"] for w in each["warnings"]} for each in answers] == warned
    assert differences == 0
    unlike = sum(row not in ROWS for row in rows)
    figure(
        f"rows, {made.manifest['algorithm']}: {zero(count, 'rows differ in a bit')} between "
        f"{'one row at a time' if linear else 'a table'} and requests of {AT_ONCE}, {unlike} of "
        f"them changed; {sum(map(bool, warned))} were warned of, as they have to be"
    )
