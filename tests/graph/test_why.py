"""`leeway why` over a model that lived: first release, drift, a release that was held, a rollback.

Belongs here: that answers are those of the ledger, and that what they cite is there. Does not
belong here: the sentences (tests/unit/test_why.py), or HTTP (tests/service).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest
from click.testing import CliRunner
from psycopg2 import sql

from cli.main import cli
from leeway.why.statement import short
from orchestration.retraining import retraining_tick
from resources.postgres import transaction
from resources.settings import PROJECT
from tests.batches import penguins
from tests.graph.conftest import FIRST, LONGER_BY_MM, NAME, SECOND, Graph, opened
from tests.graph.history import asked_by

BATCH = ["raw", "staged", "clean", "profile", "drift", "damage", "predictions", "performance"]
TRAIN = ["training_set", "model_selection", "tuned_model", "explainers", "reference_profile"]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def lived(complete: Graph) -> Graph:
    """Version 1 serves again, after version 2, which drift led to; version 3 was held."""
    drifted = penguins(first_key=3001, year=[2009])
    drifted["bill_length_mm"] += LONGER_BY_MM
    complete.write("2011", drifted)
    assert complete.materialize(["2011"], BATCH).success
    now = datetime.now(UTC) + timedelta(days=2)
    request = asked_by(retraining_tick(complete.stage, complete.instance, complete.platform, now))
    assert complete.carry_out(request).success
    complete.write("2012", penguins(first_key=4001, year=[2008]))
    manual = complete.stage.use_case.model_copy(update={"promotion": "manual"})
    with opened(NAME, manual, complete.folder) as held:
        assert held.materialize(["2012"], [*BATCH[:4], *TRAIN, "release"]).success
    assert [each.verdict for each in complete.platform.releases.every(NAME)] == [
        "promote", "promote", "hold",
    ]  # fmt: skip
    moved = CliRunner().invoke(cli, ["rollback", NAME, "--why", "complaints"])
    assert moved.exit_code == 0, moved.stderr
    return complete


def why(*arguments: str) -> Any:
    done = CliRunner().invoke(cli, ["why", *arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def text(answer: Any, *topics: str) -> str:
    return "\n".join(each["text"] for each in answer["statements"] if each["topic"] in topics)


def unknown(answer: Any) -> list[str]:
    return [each["text"] for each in answer["statements"] if not each["known"]]


def is_there(graph: Graph, cited: Mapping[str, Any]) -> bool:
    """Whether what is cited can be looked up, each kind where it is kept."""
    key = {name: value for name, value in cited.items() if name not in ("kind", "table")}
    if cited["kind"] == "run":
        return graph.instance.get_run_by_id(cited["id"]) is not None
    if cited["kind"] == "object":
        return bool(graph.platform.store.get(cited["uri"], cited["digest"]))
    if cited["kind"] == "git":
        commit = cited["commit"].removesuffix("-dirty")
        asked = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
        return subprocess.run(asked, cwd=PROJECT, check=False).returncode == 0
    if cited["kind"] == "check":
        asset = dg.AssetCheckKey(dg.AssetKey(cited["asset"].split("/")), cited["name"])
        storage = graph.instance.event_log_storage
        found = storage.get_asset_check_execution_history(asset, limit=100)
        return cited["run"] in [each.run_id for each in found]
    where = sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in key)
    table = sql.Identifier(*cited["table"].split("."))
    with transaction(graph.platform.settings) as cursor:
        cursor.execute(
            sql.SQL("select count(*) from {} where {}").format(table, where), list(key.values())
        )
        return cursor.fetchone() == (1,)


QUESTIONS = [
    [NAME],
    [f"{NAME}@1"],
    [f"{NAME}@2"],
    [f"{NAME}@3"],
    [NAME, "--batch", "2011"],
    [f"{NAME}/2011/3005"],
]


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_everything_that_an_answer_cites_is_there(lived: Graph, question: list[str]) -> None:
    answer = why(*question)
    cited = [each for found in answer["statements"] for each in found["citations"]]
    assert {"ledger", "run", "object", "check"} <= {each["kind"] for each in cited}
    assert [each for each in cited if not is_there(lived, each)] == []
    assert unknown(answer) == []
    assert [found["text"] for found in answer["statements"] if not found["citations"]] == []


def test_what_is_not_there_would_be_noticed(lived: Graph) -> None:
    kinds: list[dict[str, Any]] = [
        {"kind": "ledger", "table": "leeway.moves", "id": 99},
        {"kind": "ledger", "table": "leeway.releases", "use_case": NAME, "version": 9},
        {"kind": "run", "id": "00000000-0000-0000-0000-000000000000"},
        {"kind": "git", "commit": "0" * 40},
        {"kind": "check", "asset": f"{NAME}/drift", "name": "no_drift", "run": "none"},
    ]
    assert [each for each in kinds if is_there(lived, each)] == []
    uri = (lived.platform.store.root / "models" / "x.json").as_uri()
    with pytest.raises(FileNotFoundError):
        is_there(lived, {"kind": "object", "digest": "sha256:0", "uri": uri})


def test_the_champion_tells_of_its_promotion_its_successor_and_the_rollback(lived: Graph) -> None:
    answer = why(NAME)
    assert (answer["version"], answer["champion"]) == (1, True)
    assert answer == why(f"{NAME}@1")
    assert "It is the first release of the use case." in text(answer, "trained because")
    moves = [each for each in answer["statements"] if each["topic"] == "champion"]
    assert [each["citations"][0]["id"] for each in moves] == [1, 2, 3, 3]
    assert "promotion of version 2 by leeway" in moves[1]["text"]
    assert "rolled back to it" in moves[2]["text"]
    assert "complaints" in moves[2]["text"]
    assert "confirmed 1, none 2" in text(answer, "since then")
    assert "Incident against it" in text(answer, "since then")
    assert "Attempt 1 of 3: drift of bill_length_mm in batch 2011" in text(answer, "retraining")


def test_a_model_that_drift_led_to_tells_the_verdict_the_policy_and_every_batch(
    lived: Graph,
) -> None:
    answer, ledger = why(f"{NAME}@2"), lived.platform.ledger
    cause = text(answer, "trained because")
    assert "Drift of bill_length_mm was found in batch 2011 against version 1" in cause
    assert "bill_length_mm moved, median:" in cause
    assert f"cooldown {lived.stage.use_case.retraining.cooldown}" in cause
    rows = text(answer, "trained on")
    for batch in (FIRST, SECOND, "2011"):
        clean = ledger.require(NAME, "clean", batch)
        raw = ledger.require(NAME, "raw", batch)
        assert f"Batch {batch}: {clean.rows} clean rows" in rows
        assert raw.facts["source_digest"] in rows
    assert f"seed was {lived.stage.use_case.search.seed}" in text(answer, "chosen by")
    release = lived.platform.releases.every(NAME)[1]
    judged = text(answer, "judged by")
    assert release.reason in judged
    assert "Beside version 1 on the same" in judged
    assert "95 % interval" in judged
    assert "It was champion until" in text(answer, "champion")


def test_a_release_that_was_held_says_why_and_that_a_command_trained_it(lived: Graph) -> None:
    answer = why(f"{NAME}@3")
    assert "Beside version 2 on the same" in text(answer, "judged by")
    assert "It was held" in text(answer, "judged by")
    assert "It was never champion." in text(answer, "champion")
    assert "so by hand" in text(answer, "trained because")


def test_a_prediction_goes_back_to_the_row_of_its_source_and_the_batch_comes_to_it(
    lived: Graph,
) -> None:
    answer = why(f"{NAME}/2011/3005")
    source = lived.folder / "2011.csv"
    given = source.read_text().splitlines()[5]
    assert given.startswith("3005,")
    assert "It was row 5 of batch 2011" in text(answer, "prediction")
    assert answer["version"] == 2
    assert answer["answer"]["penguin_id"] == 3005
    assert "Training set" in text(answer, "trained on")
    back = why(NAME, "--batch", "2011")
    assert back["versions"] == [2, 3]
    assert "Version 2 predicted" in text(back, "batch")
    assert "An incident was found in it" in text(back, "batch")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no use case 'nosuch'; there are churn, housing, penguins"),
        (["housing"], "nothing is recorded of 'housing'; recorded are penguins"),
        ([f"{NAME}@9"], "penguins has no version 9; there are 1, 2, 3"),
        ([NAME, "--batch", "x"], "penguins has no batch 'x'; the newest are 2012, 2011"),
        ([f"{NAME}/2011/9"], "has no prediction of a row with the key '9'"),
        ([f"{NAME}/2099/9"], "penguins has no predictions of batch '2099'"),
        (["nosuch", "--batch", "2011"], "no use case 'nosuch'; there are churn, housing"),
        (["a'b/2011/9"], 'no use case "a\'b"; there are churn, housing'),
        (["0" * 32], "no prediction 00000000000000000000000000000000 is recorded"),
    ],
)
def test_what_is_not_recorded_is_refused_with_what_there_is(
    lived: Graph, arguments: list[str], said: str
) -> None:
    done = CliRunner().invoke(cli, ["why", *arguments])
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())


@pytest.fixture
def older(lived: Graph) -> Iterator[Graph]:
    """The ledger as an installation from before has it; put back afterwards."""
    with transaction(lived.platform.settings) as cursor:
        cursor.execute("create table kept as select id, version, inputs from leeway.commits")
        cursor.execute("create table kept_definitions as table leeway.definitions")
        cursor.execute("create table kept_releases as select version, facts from leeway.releases")
        cursor.execute("update leeway.commits set version = null, inputs = null")
        cursor.execute("delete from leeway.definitions")
        cursor.execute("update leeway.releases set facts = facts - 'judged_against'")
    yield lived
    with transaction(lived.platform.settings) as cursor:
        cursor.execute(
            "update leeway.commits set version = kept.version, inputs = kept.inputs from kept "
            "where kept.id = commits.id"
        )
        cursor.execute("insert into leeway.definitions table kept_definitions")
        cursor.execute(
            "update leeway.releases set facts = k.facts from kept_releases as k "
            "where k.version = releases.version"
        )
        cursor.execute("drop table kept, kept_definitions, kept_releases")


def test_what_an_older_leeway_did_not_record_is_unknown_and_all_else_is_told(older: Graph) -> None:
    answer = why(f"{NAME}@2")
    found = " ".join(unknown(answer))
    for what in (
        "The numbers of the policy",
        "Which clean rows are in it, batch by batch",
        "The seed of the search",
        "a champion whose version an older Leeway did not record",
    ):
        assert what in found
    assert len(unknown(answer)) == 4
    assert "The verdict on batch 2011 was confirmed" in text(answer, "trained because")
    lost = why(f"{NAME}/2011/3005")
    assert "The clean row that it was made of" in " ".join(unknown(lost))
    assert lost["version"] == 2


def test_an_object_that_is_gone_leaves_unknown_what_only_it_could_tell(lived: Graph) -> None:
    release = lived.platform.releases.every(NAME)[1]
    manifest = Path(urlsplit(release.facts["uri"]).path)
    away = manifest.with_suffix(".away")
    shutil.move(manifest, away)
    try:
        answer = why(f"{NAME}@2")
    finally:
        shutil.move(away, manifest)
    assert "is gone from the store" in " ".join(unknown(answer))
    assert release.reason in text(answer, "judged by"), "the ledger has it, too"


def test_without_dagsters_records_its_checks_are_missing_and_the_rest_is_told(
    lived: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction(lived.platform.settings, "dagster") as cursor:
        cursor.execute("alter table asset_check_executions rename to hidden")
    try:
        answer = why(f"{NAME}@3")
    finally:
        with transaction(lived.platform.settings, "dagster") as cursor:
            cursor.execute("alter table hidden rename to asset_check_executions")
    assert "What started its training: unknown, Dagster has no record" in " ".join(unknown(answer))
    kinds = {each["kind"] for found in answer["statements"] for each in found["citations"]}
    assert "check" not in kinds


def test_a_person_reads_the_same_sentences(lived: Graph) -> None:
    done = CliRunner().invoke(cli, ["why", f"{NAME}@2"])
    assert done.exit_code == 0
    assert done.stdout == ""
    said = " ".join(done.stderr.split())
    for each in why(f"{NAME}@2")["statements"]:
        assert " ".join(short(each["text"]).split()) in said
    assert "[moves 2]" in said
