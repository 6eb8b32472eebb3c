"""The `leeway` command as people and scripts use it: exit codes, messages, JSON, and no surprise.

Belongs here: commands as processes, one after the other on one installation; what they say must
agree with what the ledger, MLflow and Dagster hold. Does not belong here: how a command does it.
"""

from __future__ import annotations

import getpass
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
import yaml

from resources.pdf import NoPdf, pdf_of
from resources.postgres import transaction
from resources.tracking import TRAINING_KEY
from tests.batches import age, penguins
from tests.end_to_end.conftest import Recorded
from tests.installed import Complete, Done
from tests.project_copy import NAME

pytestmark = pytest.mark.timeout(300)
HEADINGS = ("use case", "data", "rows", "champion", "held-out metric", "drift", "seconds")
# The shape of `leeway status --json` in the design: names, and the types that values may have.
NUMBER, TEXT = (int, float), (str,)
UNDEFINED = (*NUMBER, type(None))
METRIC = {"value": NUMBER, "low": NUMBER, "high": NUMBER, "unit": TEXT, "rows": (int,)}
SHAPE: dict[str, Any] = {
    "task": TEXT,
    "data": {"origin": TEXT, "source": TEXT, "rows": (int,), "rejected": (int,),
             "batches": (int,), "last_batch": TEXT},
    "champion": {"version": (int,), "release": TEXT, "algorithm": TEXT, "trained_at": TEXT,
                 "training_set": TEXT},
    "metrics": {"macro_f1": METRIC},  # and others, whose interval may be undefined
    "drift": {"batch": TEXT, "verdict": TEXT, "reason": TEXT, "columns": (list,)},
    "freshness": TEXT,
    "checks": {"passed": (int,), "failed": (list,)},
    "last_run": {"id": TEXT, "status": TEXT, "seconds": NUMBER, "decision": TEXT},
}  # fmt: skip


def misshapen(found: Any, shape: Any, at: str = "") -> list[str]:
    """Where a value is not of the shape; metrics may be more than those that are named."""
    if isinstance(shape, tuple):
        return [] if isinstance(found, shape) else [f"{at}: {found!r}"]
    if not isinstance(found, dict):
        return [f"{at}: {found!r}"]
    if at == ".metrics":
        shape = dict.fromkeys(found, METRIC | {"low": UNDEFINED, "high": UNDEFINED}) | shape
    wrong = [] if set(found) == set(shape) else [f"{at}: {sorted(found)}"]
    return wrong + [w for n in shape for w in misshapen(found.get(n), shape[n], f"{at}.{n}")]


def is_one_message(done: Done, message: str) -> bool:
    """The command refused with exactly one line on standard error, and nothing beside it."""
    lines = done.err.strip().splitlines()
    assert lines == [f"error: {message}"], done
    assert done.code == 1
    assert not done.out or done.json == {"error": message}, "JSON, where it was asked for"
    return True


@pytest.fixture(scope="module")
def status(installed: Complete) -> dict[str, Any]:
    """What `leeway status --json` says after the demo."""
    done = installed.leeway("status", "--json")
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = done.json["use_cases"][NAME]
    return found


def test_the_demo_ends_with_one_line_per_use_case_and_a_good_champion(
    installed: Complete, recorded: Recorded
) -> None:
    demo = installed.demo
    assert demo.code == 0, demo.err
    assert demo.out == "", "what is for people goes to standard error"
    assert "Traceback" not in demo.err
    table = demo.err[demo.err.index("use case") :].splitlines()
    assert re.split(r" {2,}", table[0].strip()) == list(HEADINGS)
    cells = re.split(r" {2,}", table[1].strip())
    champion = recorded.releases.champion(NAME)
    assert champion is not None
    metric = champion.facts["metrics"]["macro_f1"]
    assert cells[:4] == [NAME, "real", "342", f"v1 {champion.algorithm}"]
    assert cells[4:6] == [
        f"macro_f1 {metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]",
        "none",
    ]
    assert float(cells[6]) > 0
    assert metric["value"] >= 0.95


def test_each_report_of_the_demo_is_a_page_and_a_pdf_where_one_can_be_made(
    installed: Complete, recorded: Recorded
) -> None:
    try:
        pdf_of("<p>x</p>")
    except NoPdf as error:
        pytest.skip(str(error))
    reports = [key for key in recorded.ledger.every_current(NAME) if key[0] == "report"]
    stored = [path.read_bytes()[:5] for path in (installed.home / "store").rglob("*.pdf")]
    assert stored == [b"%PDF-"] * len(reports)
    assert len(reports) == 2


def test_a_second_demo_repeats_nothing(installed: Complete, recorded: Recorded) -> None:
    before = recorded.counts()
    assert before["Dagster runs"] == before["MLflow versions"] == before["releases"] == 1
    again = installed.leeway("demo", "--json")
    assert again.code == 0
    assert recorded.counts() == before
    (run,) = again.json["runs"]
    assert (run["status"], run["run_id"], run["ran"]) == ("success", None, [])
    assert f"{NAME}: everything is up to date" in again.err


@contextmanager
def beside(installed: Complete, other: str) -> Iterator[None]:
    """Another use case like the first, whose source is missing."""
    defs = installed.project / "orchestration" / "defs"
    models = installed.project / "dbt_project" / "models"
    content = yaml.safe_load((defs / NAME / "defs.yaml").read_text())
    content["attributes"]["source"] = {"kind": "file", "path": "/none"}
    (defs / other).mkdir()
    (defs / other / "defs.yaml").write_text(yaml.safe_dump(content))
    for path in list((models / NAME).rglob("*")):
        if path.is_file():
            to = models / other / path.relative_to(models / NAME).parent
            to.mkdir(parents=True, exist_ok=True)
            text = path.read_text().replace(NAME, other)
            (to / path.name.replace(NAME, other)).write_text(text)
    yield
    shutil.rmtree(defs / other)
    shutil.rmtree(models / other)


def test_a_source_that_is_missing_stops_its_own_use_case_of_the_demo_alone(
    installed: Complete,
) -> None:
    """Guards: the demo ended at the first source that was missing, without its table."""
    other = "churn"  # before the first in the order of names
    reason = "/none: no such file or folder; check source.path in defs.yaml"
    with beside(installed, other):
        said, told = (installed.leeway("demo", *json) for json in ([], ["--json"]))
    for done in (said, told):
        assert done.code == 1, done.err
        assert "Traceback" not in done.err
        assert f"{other}: failed: {reason}" in done.err
    table = said.err[said.err.index("use case") :].splitlines()
    assert table[1].startswith(f"{other} (failed)")
    assert table[2].startswith(f"{NAME} ")
    assert "342" in table[2]
    failed, good = told.json["runs"]
    assert (failed["use_case"], failed["status"], failed["error"]) == (other, "failure", reason)
    assert (good["use_case"], good["status"]) == (NAME, "success")


def test_status_has_the_shape_that_scripts_rely_on(status: dict[str, Any]) -> None:
    assert misshapen(status, SHAPE) == []
    assert status["task"] == "classification"
    assert status["data"]["origin"] == "real"
    assert (status["data"]["batches"], status["data"]["last_batch"]) == (2, "2009")
    assert status["champion"]["release"].startswith("sha256:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["champion"]["trained_at"])
    assert status["metrics"]["macro_f1"]["unit"] == "fraction"
    assert status["drift"]["verdict"] in ("none", "suspect", "confirmed", "undefined")
    assert status["freshness"] == "pass"
    assert (status["last_run"]["status"], status["last_run"]["decision"]) == ("success", "promoted")


def test_a_check_of_all_is_of_what_was_materialized(
    installed: Complete, status: dict[str, Any]
) -> None:
    """Regression: `make demo && leeway check` failed, since the demo leaves one use case out.

    Regression: the check was the last run, and nobody saw any more what was decided before.
    """
    other = "churn"
    with beside(installed, other):
        done, alone = (installed.leeway("check", *name, "--json") for name in ([], [other]))
    never = {"passed": 0, "failed": [], "error": f"never materialized; run `leeway run {other}`"}
    assert done.code == 0, done.err
    found = done.json["use_cases"]
    assert found[other] == never
    assert (found[NAME]["error"], found[NAME]["failed"]) == (None, [])
    assert found[NAME]["passed"] > 0
    assert f"{other}: {never['error']}" in done.err
    assert (alone.code, alone.json["use_cases"]) == (1, {other: never})
    now = installed.leeway("status", NAME, "--json").json["use_cases"][NAME]
    assert now["last_run"] == status["last_run"]


def test_a_metric_of_another_shape_is_noticed(status: dict[str, Any]) -> None:
    """Guards: of the metrics, only macro_f1 was looked at."""
    assert len(status["metrics"]) > 1
    for name, metric in status["metrics"].items():
        changed = status["metrics"] | {name: {**metric, "value": "high"}}
        assert misshapen(status | {"metrics": changed}, SHAPE) == [f".metrics.{name}.value: 'high'"]
    assert misshapen(status | {"metrics": {}}, SHAPE) != []


def test_status_agrees_with_the_ledger(status: dict[str, Any], recorded: Recorded) -> None:
    champion, commits = recorded.releases.champion(NAME), recorded.ledger.every_current(NAME)
    assert champion is not None
    assert status["champion"]["version"] == champion.version == 1
    assert status["champion"]["release"] == champion.digest == commits[("release", "")].digest
    assert status["champion"]["training_set"] == commits[("training_set", "")].digest
    assert status["metrics"] == champion.facts["metrics"]
    with transaction(recorded.settings) as cursor:
        cursor.execute("select count(*), count(distinct batch_id) from penguins.clean")
        rows, batches = cursor.fetchall()[0]
        cursor.execute("select count(distinct (batch_id, row_number)) from penguins.rejects")
        ((rejected,),) = cursor.fetchall()
    data = status["data"]
    assert (data["rows"], data["batches"], data["rejected"]) == (rows, batches, rejected)
    assert rows + rejected == len(penguins())
    drift = commits[("drift", "2009")].facts
    assert status["drift"] == {"batch": "2009"} | {
        name: drift[name] for name in ("verdict", "reason", "columns")
    }


def test_status_agrees_with_mlflow(status: dict[str, Any], recorded: Recorded) -> None:
    version = recorded.mlflow.get_model_version_by_alias(NAME, "champion")
    assert version.tags["leeway.version"] == str(status["champion"]["version"])
    assert version.tags["algorithm"] == status["champion"]["algorithm"]
    run = recorded.mlflow.get_run(str(version.run_id))
    assert run.info.status == "FINISHED"
    for name, metric in status["metrics"].items():
        assert run.data.metrics[f"test/{name}"] == pytest.approx(metric["value"], abs=1e-12)


def test_status_agrees_with_dagster(status: dict[str, Any], recorded: Recorded) -> None:
    run = recorded.instance.get_run_by_id(status["last_run"]["id"])
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS
    event = recorded.instance.get_latest_materialization_event(dg.AssetKey([NAME, "release"]))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.run_id == run.run_id
    metadata = event.asset_materialization.metadata
    assert metadata["version"].value == status["champion"]["version"]
    assert metadata["digest"].value == status["champion"]["release"]
    results = [
        entry.dagster_event.asset_check_evaluation_data
        for entry in recorded.instance.all_logs(run.run_id)
        if entry.dagster_event
        and entry.dagster_event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    assert status["checks"] == {"passed": len({r.asset_check_key for r in results}), "failed": []}
    assert all(result.passed for result in results)


def test_a_run_with_nothing_to_do_says_so_as_json(installed: Complete) -> None:
    done = installed.leeway("run", NAME, "--json")
    assert done.code == 0
    report = done.json
    assert (report["use_case"], report["status"], report["error"]) == (NAME, "success", None)
    assert report["ran"] == []
    assert {step["reason"] for step in report["skipped"]} == {"up to date"}
    nodes = {(step["node"], step["batch"]) for step in report["skipped"]}
    assert {("raw", "2009"), ("release", ""), ("drift", "2007-2008")} <= nodes


def test_a_file_that_somebody_edits_stops_no_verb_of_another_use_case(installed: Complete) -> None:
    """Regression: no championship could be given back while one defs.yaml was not valid."""
    path = installed.project / "orchestration" / "defs" / "edited" / "defs.yaml"
    path.parent.mkdir()
    path.write_text("attributes: {title: [}")
    try:
        back, known, ran = (
            installed.leeway(*verb)
            for verb in (["rollback", NAME], ["status", NAME], ["run", NAME])
        )
        needing = [installed.leeway(*verb) for verb in (["status"], ["run", NAME, "--all"])]
    finally:
        shutil.rmtree(path.parent)
    assert is_one_message(back, f"{NAME}: no version was champion before 1; nothing to return to")
    assert (known.code, ran.code) == (0, 0), (known, ran)
    for done in needing:  # of all use cases, or of Dagster, which builds all
        assert (done.code, done.err.count(f"error: {path}: ")) == (1, 1), done
        assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nosuch", "--json"], "no use case 'nosuch'; there are penguins"),
        (["status", "nosuch", "--json"], "no use case 'nosuch'; there are penguins"),
        (["promote", "nosuch", "1"], "no use case 'nosuch'; there are penguins"),
        (["promote", NAME, "99", "--json"], "penguins has no version 99; there are 1"),
        (["rollback", NAME, "--json"],
         "penguins: no version was champion before 1; nothing to return to"),
        (["run", NAME, "--batch", "1999"], "no batch '1999'; there are 2007-2008, 2009"),
        (["run", NAME, "--select", "cleen"],
         "no node 'cleen'; there are raw, staged, clean, profile, training_set, "
         "model_selection, tuned_model, explainers, reference_profile, release, drift, damage, "
         "predictions, performance, report"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_exist_is_refused_in_one_line_that_says_what_does(
    installed: Complete, arguments: list[str], message: str
) -> None:
    done = installed.leeway(*arguments)
    assert is_one_message(done, message)
    assert bool(done.out) == ("--json" in arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["promote", NAME, "one"], "'one' is not a valid integer"),
        (["run"], "Missing argument 'NAME'"),
    ],
)
def test_a_command_that_is_not_one_is_refused_with_its_usage(
    installed: Complete, arguments: list[str], message: str
) -> None:
    done = installed.leeway(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage: " in done.err
    assert message in done.err


def test_a_setting_that_is_wrong_is_refused_by_name(installed: Complete) -> None:
    done = installed.leeway("status", LEEWAY_ENVIRONMENT="staging")
    expected = "LEEWAY_ENVIRONMENT: Input should be 'local', 'test' or 'production', got 'staging'"
    assert is_one_message(done, expected)


def test_doctor_finds_no_fault_with_an_installation_that_works(installed: Complete) -> None:
    done = installed.leeway("doctor", "--json")
    findings = {finding["subject"]: finding for finding in done.json["findings"]}
    assert {finding["state"] for finding in findings.values()} == {"ok"}, findings
    assert done.code == 0
    assert str(installed.home) in findings["home"]["detail"]
    assert findings["PostgreSQL"]["detail"].startswith("embedded, PostgreSQL 18")
    assert findings["use cases"]["detail"] == NAME


def test_a_champion_is_moved_and_taken_back_with_who_and_why(
    installed: Complete, recorded: Recorded
) -> None:
    first = recorded.releases.champion(NAME)
    assert first is not None
    # A second version of the same model, as a training that was held would have left it.
    second = replace(first, version=2, training_key="another", verdict="hold")
    recorded.mlflow.create_model_version(NAME, "file:///none", tags={TRAINING_KEY: "another"})
    with transaction(recorded.settings) as cursor:
        recorded.releases.record(cursor, second)

    who = getpass.getuser()
    moved = installed.leeway("promote", NAME, "2", "--why", "the biologists agree", "--json")
    assert moved.code == 0
    assert moved.json == {
        "use_case": NAME, "action": "promote", "from": 1, "to": 2, "who": who,
        "why": "the biologists agree", "mlflow": "told",
    }  # fmt: skip
    alias = recorded.mlflow.get_model_version_by_alias(NAME, "champion")
    assert alias.tags[TRAINING_KEY] == "another"
    drift = installed.leeway("status", NAME, "--json").json["use_cases"][NAME]["drift"]
    assert (drift["verdict"], drift["columns"]) == ("undefined", [])
    assert drift["reason"] == "not compared with the present champion; run `leeway run penguins`"
    again = installed.leeway("promote", NAME, "2", "--json")
    assert again.code == 0
    assert (again.json["from"], again.json["to"]) == (2, 2)
    assert again.err == "penguins: version 2 is champion already; nothing was moved\n"
    back = installed.leeway("rollback", NAME, "--why", "complaints")
    assert (back.code, back.out) == (0, "")
    assert back.err == "penguins: champion is version 1, before 2 (rollback, complaints)\n"
    alias = recorded.mlflow.get_model_version_by_alias(NAME, "champion")
    assert alias.tags[TRAINING_KEY] == first.training_key
    moves = [
        (move["version"], move["previous_version"], move["action"], move["who"], move["why"])
        for move in recorded.releases.moves(NAME)
    ]
    assert moves[:2] == [
        (1, 2, "rollback", who, "complaints"),
        (2, 1, "promote", who, "the biologists agree"),
    ]


def test_a_bad_file_fails_the_run_in_one_message_and_is_forgotten_when_removed(
    installed: Complete, recorded: Recorded
) -> None:
    """Guards: once a bad file had been seen, removing it made every later run fail."""
    before = recorded.ledger.every_current(NAME)
    path = installed.batches / "2008-bad.csv"
    path.write_bytes(b"penguin_id,species\n")
    age(path)
    done = installed.leeway("run", NAME, "--json")
    assert done.code == 1
    assert done.json["status"] == "failure"
    assert done.json["error"].startswith(f"{NAME}, batch 2008-bad: {path}: missing column 'island'")
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1] == f"{NAME}: failed: {done.json['error']}"
    assert recorded.ledger.every_current(NAME) == before
    path.unlink()
    again = installed.leeway("run", NAME)
    assert again.code == 0
    assert "everything is up to date" in again.err
    assert recorded.ledger.batches(NAME) == ["2007-2008", "2009"]


def test_check_fails_when_a_check_fails_and_says_which(
    installed: Complete, recorded: Recorded
) -> None:
    table = penguins(first_key=1001, year=[2009])
    table.loc[:29, "species"] = "Emperor"
    installed.write("2010", table)
    loaded = installed.leeway("run", NAME, "--batch", "2010", "--select", "raw", "--json")
    assert loaded.code == 0
    assert [(step["node"], step["batch"]) for step in loaded.json["ran"]] == [("raw", "2010")]
    done = installed.leeway("check", NAME, "--json")
    assert done.code == 1
    found = done.json["use_cases"][NAME]
    assert found["error"] is None
    (failed,) = found["failed"]
    assert (failed["node"], failed["check"], failed["severity"]) == ("raw", "few_rejects", "ERROR")
    rejected = 1 + 30  # one penguin of that year was never measured
    assert f"Batch 2010: {rejected} of {len(table)} rows rejected" in failed["description"]
    assert found["passed"] >= 10
    status = installed.leeway("status", NAME, "--json").json["use_cases"][NAME]
    assert status["checks"]["failed"] == [
        {"node": "raw", "check": "few_rejects", "severity": "ERROR"}
    ]
    assert status["data"]["last_batch"] == "2010"
    (installed.batches / "2010.csv").unlink()
