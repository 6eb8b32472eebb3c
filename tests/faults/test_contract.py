"""Changed columns that nothing looked at before dbt: its contracts and tests stop them alone.

The second net of D1: the tables are loaded as if Leeway's own look at a batch were gone. One call
of dbt for each of twelve mutations:
`LEEWAY_KILLS=12 .venv/bin/pytest -q tests/faults/test_contract.py`.
That every use case has a contract is a test that takes no time (tests/unit/test_shipped.py).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from leeway.spec import UseCase
from orchestration.use_cases import load_use_cases
from resources.dbt import executable
from resources.postgres import transaction
from resources.settings import Settings
from resources.warehouse import replace_table
from tests.conftest import used_installation
from tests.faults.harness import LONG, figure, seeded
from tests.faults.test_hostile_files import MUTATIONS, batch_of, judged
from tests.project_copy import child_environment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
# Of a column of floats and of text; what becomes another type is a matter of the contract alone.
TYPES = {pa.float64(): "double precision", pa.int64(): "bigint", pa.bool_(): "boolean",
         pa.date32(): "date", pa.timestamp("us", tz="UTC"): "timestamptz"}  # fmt: skip

BY_CONTRACT = "number now words"  # which SQL passes on and no test of dbt looks at


@pytest.fixture(scope="module")
def parsed(server_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """An installation for which dbt has parsed the project."""
    with used_installation(server_home, tmp_path_factory.mktemp("home")) as settings:
        yield settings


def changed(what: UseCase, mutation: str | None) -> pa.Table:
    """The rows of a good batch as the table raw has them, with columns that changed."""
    good = judged(batch_of(what, 0), what).accepted
    number = next(
        c.name for c in what.given_columns if c.type in ("number", "integer")
        and c.role not in ("key", "ignored") and c.name != what.target.name
    )  # fmt: skip
    if mutation is None:
        return good
    return MUTATIONS[mutation](good, number, what.target.name)


def stopped(settings: Settings, tables: Mapping[str, pa.Table], target: Path) -> dict[str, str]:
    """What stopped each use case first, of those that dbt does not build to the end."""
    for name, table in tables.items():
        rows = table.append_column("batch_id", pa.array(["b"] * table.num_rows))
        columns = {f.name: TYPES.get(f.type, "text") for f in rows.schema}
        with transaction(settings) as cursor:
            cursor.execute(f"drop schema if exists {name} cascade")
            types = {**columns, "loaded_at": "timestamptz default now()"}
            replace_table(cursor, name, "raw", types, rows)
    chosen = [f"fqn:leeway.{name}" for name in tables]
    done = subprocess.run(
        [executable(), "build", "--exclude-resource-type", "unit_test", "--select", *chosen],
        env=child_environment(DBT_TARGET_PATH=str(target)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (target / "run_results.json").exists(), done.stdout + done.stderr
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    found: dict[str, str] = {}
    for result in json.loads((target / "run_results.json").read_text())["results"]:
        if result["status"] in ("error", "fail"):
            node = nodes[result["unique_id"]]
            said = "contract" if "enforced contract" in str(result["message"]) else node["name"]
            found.setdefault(node["fqn"][1], said)
    return found


@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_dbt_stops_changed_columns_alone(parsed: Settings, tmp_path: Path) -> None:
    chosen = {n: each for n, each in load_use_cases().items() if not each.target.computed}
    assert len(chosen) == 5
    good = {name: changed(what, None) for name, what in chosen.items()}
    assert stopped(parsed, good, tmp_path / "good") == {}
    caught: list[str] = []
    others = seeded("contract").sample([each for each in MUTATIONS if each != BY_CONTRACT], k=11)
    for mutation in [BY_CONTRACT, *others][:LONG]:
        tables = {name: changed(what, mutation) for name, what in chosen.items()}
        found = stopped(parsed, tables, tmp_path / mutation.replace(" ", "-"))
        assert set(found) == set(chosen), f"{mutation}: {found}"
        caught += found.values()
    contract = caught.count("contract")
    figure(
        f"D1, dbt alone: {len(caught)} of {len(caught)} changed tables stopped, {contract} by a "
        f"contract and {len(caught) - contract} by SQL or tests; 5 of 5 good ones built"
    )
    assert contract > 0
