"""Champion and challenger side by side: real releases, real requests, real verdicts.

Belongs here: what a client sees while a release is tried, and what is kept. Does not belong here:
the statistics (tests/unit/test_trial.py), or the ledger alone (tests/contract/test_trials.py).
"""

from __future__ import annotations

import json
import statistics
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from leeway.digests import canonical_json
from leeway.spec import Trial
from leeway.trial.share import is_challenged
from resources.settings import PROJECT
from resources.trials import Tried
from serving.shadows import MOST_AT_ONCE, MOST_QUEUED
from tests.batches import penguins
from tests.faults.harness import figure, until
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.rivals import Rivals, good, place_of
from tests.service.service import PREDICT, Client, ready

pytestmark = pytest.mark.timeout(300)
SHADOW = Trial(labelled_rows=60)
MOST_SLOWER = 2.0
HEAVY = b'{"instances": [{"body_mass_g": 5000}]}'
CANARY = Trial(mode="canary", share=0.3, labelled_rows=400)


def mixed_up(rivals: Rivals, manifest: dict[str, Any]) -> None:
    """It calls each class by the name of another."""
    manifest["classes"] = [*manifest["classes"][1:], manifest["classes"][0]]


def choosy(rivals: Rivals, manifest: dict[str, Any]) -> None:
    """It takes no penguin of more than a gram."""
    inputs = json.loads(rivals.store.get(*place_of(manifest, "inputs")))
    for each in inputs:
        if each["name"] == "body_mass_g":
            each["high"] = 1
    stored = rivals.store.put("models", NAME, "json", canonical_json(inputs))
    manifest["files"]["inputs"] = {"digest": stored.digest, "uri": stored.uri}


def unproven(rivals: Rivals, manifest: dict[str, Any]) -> None:
    del manifest["files"]["golden"]


@pytest.fixture
def rivals(installed: Complete) -> Iterator[Rivals]:
    found = Rivals(installed)
    yield found
    found.stop()


def on_trial(client: Client, version: int) -> bool:
    """Whether the service tries the version."""
    name = f'challenger_on_trial{{model_version="{version}",use_case="{NAME}"}}'
    return client.metrics().get(name) == 1


def rows(first_key: int, count: int) -> list[dict[str, Any]]:
    """Penguins as a client sends them, each with a key, and what they are."""
    table = penguins(first_key=first_key).sample(count, replace=True, random_state=first_key)
    table["penguin_id"] = range(first_key, first_key + count)
    return json.loads(table.to_json(orient="records"))  # type: ignore[no-any-return]


def asked(client: Client, given: list[dict[str, Any]], **headers: str) -> dict[str, Any]:
    """The answer to a request for these rows, without what they are."""
    kept = (*client.inputs, "penguin_id")
    body = {"instances": [{n: row[n] for n in kept if n in row} for row in given]}
    answer = client.ask("POST", PREDICT, json.dumps(body).encode(), headers)
    assert answer.status == 200, answer.data
    return json.loads(answer.data)  # type: ignore[no-any-return]


def test_a_shadow_answers_the_same_requests_and_nobody_sees_it(
    client: Client, installed: Complete, rivals: Rivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = rivals.begin(good, SHADOW)
    assert until(lambda: on_trial(client, trial.version), 20) is not None
    answers = [asked(client, rows(5000 + 2 * n, 2)) for n in range(20)]
    answers.append(asked(client, [rows(5100, 1)[0] | {"penguin_id": None}]))
    champion = rivals.champion()
    assert {each["release"] for each in answers} == {champion.digest}
    found = rivals.logged(trial, 21)
    for answer, row in zip(answers, found, strict=True):
        assert (row["role"], row["error"], row["releases"]) == ("shadow", None, [champion.digest])
        own = [each.pop("prediction_id") for each in row["answers"]]
        given = [each.pop("prediction_id") for each in answer["predictions"]]
        assert not {uuid.UUID(each) for each in own} & {uuid.UUID(each) for each in given}
        assert row["answers"] == answer["predictions"]  # its twin: each bit
    assert [row["key_at"] for row in found] == [1] * 20 + [None]
    release = f'mode="shadow",model_version="{trial.version}",outcome="answered"'
    counted = client.metrics()[f'challenger_requests_total{{{release},use_case="{NAME}"}}']
    assert counted == 21
    assert "goes on: 0 of 60 rows have labels: no row has a label yet" in rivals.judge().told
    status = " ".join(installed.leeway("status", NAME).err.split())
    about = f"trial of {NAME}: version {trial.version} beside version {trial.champion}, shadow"
    assert about in status
    _, releases = client.get(f"/api/v1/{NAME}/releases")
    shown = releases["trials"][0]
    assert (shown["version"], shown["verdict"], shown["policy"]["mode"]) == (
        trial.version, None, "shadow",
    )  # fmt: skip
    assert shown["evidence"]["answered"] == 21
    monkeypatch.setenv("LEEWAY_API_URL", f"http://127.0.0.1:{client.port}")
    page = AppTest.from_file(str(PROJECT / "dashboard" / "app.py"), default_timeout=60).run()
    page.sidebar.radio[0].set_value("Releases").run()
    assert not page.exception
    listed = page.dataframe[1].value.iloc[0]
    assert (listed["version"], listed["mode"], listed["verdict"]) == (
        trial.version,
        "shadow",
        "runs",
    )
    assert (listed["answered"], listed["reason"]) == (21, shown["reason"])


def test_the_process_of_the_shadow_may_die_and_what_is_lost_is_its_failure(
    client: Client, rivals: Rivals
) -> None:
    """A request is tried once more by another process: it takes the death of both."""
    trial = rivals.begin(good, SHADOW)
    assert until(lambda: on_trial(client, trial.version), 20) is not None
    asked(client, rows(5200, 1))
    rivals.logged(trial, 1)
    (first,) = client.workers()
    first.suspend()
    asked(client, rows(5201, 1))
    first.kill()
    assert [row["error"] for row in rivals.logged(trial, 2)] == [None, None]  # by another
    (second,) = client.workers()
    second.suspend()
    asked(client, rows(5202, 1))
    second.kill()
    assert until(lambda: set(client.workers()) not in (set(), {second}), 20) is not None
    (third,) = client.workers()
    third.kill()
    told = rivals.logged(trial, 3)[-1]["error"]
    assert told == "two processes for shadows ended before they answered; the log may say why"
    asked(client, rows(5203, 1))
    assert rivals.logged(trial, 4)[-1]["error"] is None, "the next one is tried again"


def test_a_shadow_takes_little_from_predictions_and_what_it_cannot_do_is_dropped(
    client: Client, rivals: Rivals
) -> None:
    ratios = []
    for _ in range(3):
        quiet = usual(client)
        trial = rivals.begin(good, SHADOW)
        assert until(lambda: on_trial(client, trial.version), 20) is not None  # noqa: B023
        ratios.append(usual(client) / quiet)
        rivals.stop()
        assert until(lambda: not on_trial(client, trial.version), 20) is not None  # noqa: B023
        if ratios[-1] < MOST_SLOWER / 2:
            break  # as good as it has to be
    figure(f"median of predict beside a shadow: {min(ratios):.2f} times that of before")
    assert min(ratios) < MOST_SLOWER, ratios

    trial = rivals.begin(good, SHADOW)
    assert until(lambda: on_trial(client, trial.version), 20) is not None
    asked(client, rows(5300, 1))
    rivals.logged(trial, 1)
    (worker,) = client.workers()
    worker.suspend()
    try:
        for _ in range(MOST_QUEUED + 100):
            assert client.post(PREDICT, HEAVY)[0] == 200
        outcome = f'mode="shadow",model_version="{trial.version}",outcome="dropped"'
        counted = client.metrics()[f'challenger_requests_total{{{outcome},use_case="{NAME}"}}']
        assert 100 - MOST_AT_ONCE <= counted <= 100
    finally:
        worker.resume()
    assert len(rivals.logged(trial, MOST_QUEUED)) <= MOST_QUEUED + 1 + MOST_AT_ONCE


def usual(client: Client) -> float:
    """Median of the seconds of a prediction."""
    return statistics.median(client.latencies(HEAVY, 200))


def test_a_canary_answers_for_its_share_of_keys_always_the_same_and_whole(
    client: Client, installed: Complete, rivals: Rivals
) -> None:
    trial = rivals.begin(good, CANARY)
    assert until(lambda: on_trial(client, trial.version), 20) is not None
    by: dict[int, set[int]] = {}
    for _ in range(2):
        for row in rows(6000, 150):
            answer = asked(client, [row])
            by.setdefault(row["penguin_id"], set()).add(answer["model_version"])
    assert all(len(versions) == 1 for versions in by.values())
    for key, versions in by.items():
        challenged = is_challenged(str(trial.id), str(key), CANARY.share)
        assert versions == {trial.version if challenged else trial.champion}
    share = sum(versions == {trial.version} for versions in by.values()) / len(by)
    assert share == pytest.approx(CANARY.share, abs=4 * (0.3 * 0.7 / 150) ** 0.5)
    many = [asked(client, rows(7000 + 5 * n, 5)) for n in range(20)]
    assert {each["model_version"] for each in many} == {trial.version, trial.champion}
    digests = {trial.version: trial.release, trial.champion: rivals.champion().digest}
    assert all(each["release"] == digests[each["model_version"]] for each in many)
    found = rivals.logged(trial, 320)
    assert all(len(row["releases"]) == 1 for row in found)  # of each prediction of a request
    for row in found:
        meant = trial.release if row["role"] == "challenger" else rivals.champion().digest
        assert row["releases"] == [meant]
        assert is_challenged(str(trial.id), row["keys"][0], 0.3) == (row["role"] == "challenger")
    for version in (trial.version, trial.champion):
        answer = next(each for each in many if each["model_version"] == version)
        done = installed.leeway("why", answer["predictions"][-1]["prediction_id"], "--json")
        assert done.code == 0, done.err
        told = "it was tried on a share of the requests" in done.out
        assert told is (version == trial.version)
    for n in range(30):  # who has no key is told apart by the request
        row = {name: value for name, value in rows(8000, 1)[0].items() if name != "penguin_id"}
        answer = asked(client, [row], **{"X-Request-ID": f"r{n}"})
        challenged = is_challenged(str(trial.id), f"r{n}", 0.3)
        assert answer["model_version"] == (trial.version if challenged else trial.champion)


def test_a_challenger_that_fails_costs_no_request_and_goes_back(
    client: Client, rivals: Rivals
) -> None:
    trial = rivals.begin(choosy, CANARY)
    assert until(lambda: on_trial(client, trial.version), 20) is not None
    champion = rivals.champion()
    weighed = [row for row in rows(9000, 120) if row["body_mass_g"] is not None]
    versions = {asked(client, [row])["model_version"] for row in weighed}
    assert versions == {champion.version}
    found = rivals.logged(trial, len(weighed))
    roles = Counter((row["role"], row["error"] is None) for row in found)
    assert set(roles) == {("champion", True), ("challenger", False)}
    assert roles["challenger", False] >= 20
    assert all("body_mass_g" in row["error"] for row in found if row["role"] == "challenger")
    judged = rivals.judge()
    assert (judged.verdict.action, judged.ended) == ("back", True)
    assert "it failed on" in judged.told
    assert until(lambda: not on_trial(client, trial.version), 10) is not None
    status, refused = client.post(PREDICT, {"instances": [{"body_mass_g": "heavy"}]})
    assert (status, refused["where"]) == (422, "instances[0].body_mass_g")


@pytest.mark.parametrize("policy", [SHADOW, CANARY])
def test_a_challenger_that_is_not_proven_is_never_asked_and_its_trial_ends(
    client: Client, rivals: Rivals, policy: Trial
) -> None:
    trial = rivals.begin(unproven, policy)
    versions = set()

    def ended() -> bool:
        versions.add(asked(client, rows(9500, 1))["model_version"])
        return rivals.newest().verdict == "failed"

    assert until(ended, 60) is not None
    assert versions == {trial.champion}
    assert "has no golden" in str(rivals.newest().reason)
    assert client.get("/ready")[0] == 200


def test_a_worse_challenger_goes_back_and_a_better_one_is_served(
    client: Client, installed: Complete, rivals: Rivals
) -> None:
    def tried(trial: Tried, first_key: int) -> None:
        """Requests, and then their labels."""
        given = rows(first_key, 80)
        for row in given:
            asked(client, [row])
        rivals.logged(trial, 80)
        rivals.label({row["penguin_id"]: row["species"] for row in given})

    worse = rivals.begin(mixed_up, SHADOW)
    assert until(lambda: on_trial(client, worse.version), 20) is not None
    tried(worse, 10_000)
    done = installed.leeway("run", NAME)
    assert (done.code, "went back: it loses more" in done.err) == (0, True), done.err
    assert rivals.newest().verdict == "back"
    assert rivals.champion().version == worse.champion

    rivals.releases.move(NAME, "promote", "a test", "planted", lambda *_: worse.version)
    better = rivals.begin(good, SHADOW)
    assert until(lambda: on_trial(client, better.version), 20) is not None
    tried(better, 11_000)
    judged = rivals.judge()
    assert (judged.verdict.action, judged.ended) == ("promote", True), judged.told
    served: list[int] = []

    def is_served() -> bool:
        served.append(asked(client, rows(12_000, 1))["model_version"])
        return served[-1] == better.version

    assert until(is_served, 10) is not None
    assert set(served) <= {worse.version, better.version}
    move = rivals.releases.moves(NAME)[0]
    assert (move["version"], move["who"]) == (better.version, "leeway")
    assert move["why"].startswith(f"tried beside version {worse.version}: it loses less")
    assert client.post(f"/api/v1/{NAME}/rollback", {"why": "a test"})[0] == 200


def test_a_person_who_moves_the_champion_ends_the_trial(client: Client, rivals: Rivals) -> None:
    trial = rivals.begin(good, SHADOW)
    body = {"version": trial.version, "why": "I know it"}
    assert client.post(f"/api/v1/{NAME}/promote", body)[0] == 200
    assert (rivals.newest().verdict, "I know it" in str(rivals.newest().reason)) == (
        "promoted",
        True,
    )
    assert client.post(f"/api/v1/{NAME}/rollback", {"why": "a test"})[0] == 200


def test_two_workers_try_the_same_share(installed: Complete, rivals: Rivals) -> None:
    with ready(installed, "--workers", "2") as client:
        trial = rivals.begin(good, CANARY)
        keys: dict[bool, list[int]] = {True: [], False: []}
        for key in range(40):
            keys[is_challenged(str(trial.id), str(key), CANARY.share)].append(key)
        row = rows(13_000, 1)[0]

        def versions(challenged: bool) -> set[int]:
            given = [row | {"penguin_id": key} for key in keys[challenged]]
            return {asked(client, [each])["model_version"] for each in given}

        def tried() -> bool:
            return versions(True) == {trial.version}

        workers = client.spawned()
        assert len(workers) == 2
        for worker in workers:
            with client.answered_by(worker):
                assert until(tried, 15) is not None, "it looks once a second"
                assert versions(False) == {trial.champion}
