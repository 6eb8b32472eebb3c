"""`leeway rehearse` on the penguins: what caught a planted fault, and that nothing else is touched.

Belongs here: the command as a process, on an installation that was used. Does not belong here: the
faults themselves (tests/unit/test_rehearsal_faults.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from leeway.rehearsal.catalogue import FAULTS
from resources.postgres import DATABASES
from tests.batches import write_leavers
from tests.faults.harness import LONG, figure, in_proof, until
from tests.installed import Complete
from tests.project_copy import NAME, SEARCH

pytestmark = pytest.mark.timeout(900)
FEW = ("unit_1000", "nulls", "small_shift")
TABLES = (
    "select format('%I.%I', schemaname, tablename) from pg_tables "
    "where schemaname not in ('pg_catalog', 'information_schema') order by 1"
)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """The folder for temporary files of a command; short, for the socket of PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="lw-"))
    if os.geteuid() == 0:  # the server is another user's process
        folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def state_of(installed: Complete) -> dict[str, Any]:
    """Every object by its digest, every row of every table, and the project's files."""
    found: dict[str, Any] = {}
    for database in DATABASES:
        for (table,) in installed.select(database, TABLES):
            # The names are the catalogue's own, quoted by it.
            content = "select count(*), md5(string_agg(t::text, '' order by t::text)) from "
            found[f"{database}: {table}"] = installed.select(database, f"{content}{table} t")
    for folder in (installed.home / "store", installed.project, installed.batches):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def left(temporary: Path) -> list[str]:
    """Folders and processes of a rehearsal that are still there."""
    found = [str(path) for path in temporary.glob("leeway-*")]
    for process in psutil.process_iter():
        try:
            places = [*process.cmdline(), process.cwd()]
        except psutil.Error:
            continue
        if any(str(temporary) in place for place in places):
            found.append(f"{process.pid} {' '.join(places)}")
    return found


def by_fault(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["fault"]: each for each in report["findings"]}


def consistent(report: dict[str, Any]) -> None:
    """Verdicts say what the figures beside them say."""
    for each in report["findings"]:
        if each["verdict"] == "does not apply":
            assert each["what"]
        elif each["verdict"] == "survived":
            assert each["caught_by"] == []
            assert each["advice"]
        else:
            assert each["caught_by"]
            assert (each["reached_predictions"] > 0) == (each["verdict"] == "caught late")
    assert sum(report["counts"].values()) == len(report["findings"])


def test_faults_are_caught_or_survive_and_the_installation_stays_as_it_was(
    installed: Complete, temporary: Path
) -> None:
    before = state_of(installed)
    options = [f"--fault={name}" for name in FEW]
    done = installed.leeway(
        "rehearse", NAME, *options, "--json", seconds=800, TMPDIR=str(temporary)
    )
    assert done.code == 0, done.err
    report = done.json
    assert (report["read_from"], report["planted_into"]) == (
        "what this installation stored",
        "2009",
    )
    assert report["control"] == []
    consistent(report)
    found = by_fault(report)

    unit = found["unit_1000"]
    assert (unit["verdict"], unit["reached_predictions"]) == ("caught", 0)
    assert unit["caught_by"][0]["check"] == f"row rule of {unit['columns'][0]}"
    assert unit["caught_by"][0]["after_rows"] == 1

    nulls = found["nulls"]
    assert nulls["verdict"] == "caught late"
    assert (nulls["caught_by"][0]["node"], nulls["caught_by"][0]["severity"]) == ("drift", "ERROR")
    assert 30 <= nulls["caught_by"][0]["after_rows"] < nulls["rows"]
    assert 0 < nulls["reached_predictions"] <= nulls["faulty_rows"] < nulls["rows"]

    small = found["small_shift"]
    assert (small["verdict"], small["caught_by"]) == ("survived", [])
    assert small["reached_predictions"] == small["faulty_rows"] > 100
    assert "drift.smallest_change" in small["advice"]

    assert left(temporary) == []
    assert state_of(installed) == before


@pytest.mark.parametrize("number", [signal.SIGINT, in_proof(signal.SIGTERM)])
def test_a_rehearsal_that_is_interrupted_leaves_nothing(
    installed: Complete, temporary: Path, number: signal.Signals
) -> None:
    before = state_of(installed)
    process = installed.start("rehearse", NAME, TMPDIR=str(temporary))
    assert until(lambda: bool([*temporary.glob("*/store/raw/*/*")]), 120) is not None, "it trains"
    assert left(temporary), "the control: it would be seen"
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "error: interrupted; the private copy was removed" in said
    assert left(temporary) == []
    assert state_of(installed) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no use case 'nosuch'; there are penguins"),
        ([NAME, "--fault", "nosuch"], "no fault nosuch; there are late_batch, unit_1000"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_before_anything_is_made(
    installed: Complete, temporary: Path, arguments: list[str], said: str
) -> None:
    done = installed.leeway("rehearse", *arguments, TMPDIR=str(temporary))
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert "a private copy" not in done.err
    assert left(temporary) == []


@pytest.mark.faults
@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_every_fault_is_tried(installed: Complete, temporary: Path) -> None:
    done = installed.leeway(
        "rehearse", NAME, "--columns", "2", "--json", seconds=1800, TMPDIR=str(temporary)
    )
    assert done.code == 0, done.err
    consistent(done.json)
    found = by_fault(done.json)
    assert list(found) == list(FAULTS)
    assert found["duplicate_keys"]["caught_by"][0]["node"] == "raw"
    assert found["label_delay"]["verdict"] == "caught", "species is required"
    assert found["concept_change"]["caught_by"][0]["check"] == "keeps_gates"
    assert found["truncated"]["missing_rows"] > 0
    swapped = next(each for each in done.json["findings"] if each["fault"] == "swapped_columns")
    assert {*swapped["columns"]} == {"bill_length_mm", "bill_depth_mm"}
    assert swapped["verdict"] == "caught late", "depths are lengths that a range allows"
    assert 0 < swapped["reached_predictions"] < swapped["faulty_rows"]
    assert left(temporary) == []
    told = ", ".join(f"{count} {verdict}" for verdict, count in done.json["counts"].items())
    figure(f"rehearsal of {NAME}: {told} in {done.json['seconds']:.0f} s")


@pytest.mark.faults
@pytest.mark.skipif(not LONG, reason="minutes: make proof")
def test_a_use_case_of_leeway_new_is_rehearsed_before_it_ever_ran(
    installed: Complete, temporary: Path
) -> None:
    """Its key is made from positions, and nothing of it is stored: its file is read."""
    data = installed.project.parent / "leavers.csv"
    write_leavers(data)
    done = installed.leeway("new", "leavers", "--data", str(data), "--target", "left")
    assert done.code == 0, done.err
    defs = installed.project / "orchestration" / "defs" / "leavers" / "defs.yaml"
    defs.write_text(f"{defs.read_text()}  search: {SEARCH}\n")
    done = installed.leeway("rehearse", "leavers", "--json", seconds=1800, TMPDIR=str(temporary))
    assert done.code == 0, done.err
    consistent(done.json)
    found = by_fault(done.json)
    assert list(found) == list(FAULTS)
    assert done.json["read_from"] == "file leavers.csv"
    assert found["duplicate_keys"]["verdict"] == "does not apply"
    assert found["duplicate_rows"]["verdict"] == "survived", "a copy of a row is a row of its own"
    assert left(temporary) == []
