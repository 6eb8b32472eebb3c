"""Trials in the ledger: one at a time, judged by what was answered and labelled, ended once."""

from __future__ import annotations

import io
import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import pytest

from leeway.served.contract import Estimated, Estimates
from leeway.served.logged import Answered, as_copied
from leeway.served.tried import LONGEST_ERROR, Request
from leeway.served.tried import as_copied as tried_as_copied
from leeway.spec import Trial
from leeway.trial.share import is_challenged
from resources import moves, trials, tried
from resources.inference_log import write
from resources.postgres import transaction
from resources.recorded import Recorded
from resources.releases import ChampionMoved, Release, Releases, insert_move, try_in
from resources.settings import PROJECT, Settings
from resources.trial_judge import judge_trial
from resources.trials import Tried
from resources.tried import evidence_of
from tests.small_use_case import small

NUMBERS = itertools.count()
SOURCE = {"kind": "file", "path": "x.csv"}
USE_CASE = small(SOURCE, labels={"source": SOURCE, "key": "k", "label": "y"})
SHADOW = Trial(labelled_rows=60)
CANARY = Trial(mode="canary", share=0.3, labelled_rows=200)


def release(name: str, version: int, digest: str | None = None) -> Release:
    return Release(
        name, version, digest or f"sha256:{name}{version}", f"key {version}", "ridge", "hold",
        "better", {"uri": f"models/{version}"}, None, f"run {version}", datetime.now(UTC),
    )  # fmt: skip


class Tries:
    """A use case with a champion, version 1, and releases that challenge it."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.name = settings, f"u{next(NUMBERS)}"
        self.releases = Releases(settings)
        self.noise = np.random.default_rng(5)
        self.trial: int | None = None
        self.answers: list[Answered] = []
        self.requests: list[Request] = []
        self.use_case = USE_CASE
        with transaction(settings) as cursor:
            for version in (1, 2, 3):
                self.releases.record(cursor, release(self.name, version))
            insert_move(cursor, self.name, 1, None, "promote", "leeway", "first")

    def begin(self, version: int, policy: Trial = SHADOW, judged: int = 1) -> None:
        digest = f"sha256:{self.name}{version}"
        with transaction(self.settings) as cursor:
            try_in(cursor, self.name, version, digest, judged, policy)
        found = trials.running_of(self.settings, self.name)
        self.trial = None if found is None else found.id

    def running(self) -> Tried:
        found = trials.running_of(self.settings, self.name)
        assert found is not None
        return found

    def verdicts(self) -> list[tuple[int, str | None]]:
        return [(each.version, each.verdict) for each in trials.newest(self.settings, self.name)]

    def champion(self) -> int:
        found = self.releases.champion(self.name)
        assert found is not None
        return found.version

    def answer(self, version: int, key: str | None, value: float) -> str:
        """The log will have an answer of a version; its id."""
        given = Estimated(uuid.uuid4().hex, value, None, [])
        digest = f"sha256:{self.name}{version}"
        answers = Estimates(self.name, "y", "USD", 0.9, version, digest, [given])
        self.answers.append(Answered(time.time(), 0.01, [{}], answers, [key]))
        return given.prediction_id

    def request(
        self,
        identity: str,
        role: Literal["shadow", "challenger", "champion"] = "shadow",
        shadow: float | None = None,
        error: str | None = None,
    ) -> None:
        answers = None if shadow is None else b'[{"prediction": %f}]' % shadow
        assert self.trial is not None
        trial = self.trial
        self.requests.append(Request(trial, time.time(), role, 0.01, [identity], 1, answers, error))

    def write(self) -> None:
        """What was answered and tried gets into the logs."""
        write(self.settings, as_copied(self.answers))
        tried.write(self.settings, tried_as_copied(self.requests))

    def label(self, *labels: tuple[str, float], at: datetime | None = None) -> None:
        """Labels of keys, read now or at another time."""
        when = (at or datetime.now(UTC)).isoformat()
        rows = "".join(f"{self.name},b,1,{key},{value},{when},{when}\n" for key, value in labels)
        columns = "use_case, batch, row_number, row_key, label, arrived_at, read_at"
        with transaction(self.settings) as cursor:
            statement = f"copy leeway.labels ({columns}) from stdin with (format csv)"
            cursor.copy_expert(statement, io.StringIO(rows))

    def pairs(self, count: int, champion: float, challenger: float) -> None:
        """Rows with labels, and answers of both that are off by so much and a little more."""
        for number in range(count):
            noise = float(self.noise.normal(0, 0.1))
            self.request(self.answer(1, f"k{number}", champion + noise), shadow=challenger - noise)
        self.write()
        self.label(*((f"k{number}", 0.0) for number in range(count)))

    def judged(self) -> str:
        found = judge_trial(self.settings, self.name, self.use_case, datetime.now(UTC))
        return "none" if found is None else found.told


@pytest.fixture
def tries(shared: Settings) -> Tries:
    return Tries(shared)


def test_one_trial_runs_at_a_time_and_a_newer_release_takes_its_place(tries: Tries) -> None:
    tries.begin(2)
    first = tries.running()
    assert (first.version, first.champion, first.policy) == (2, 1, SHADOW)
    tries.begin(2)  # the transaction that may have arrived
    assert tries.running() == first
    tries.begin(3)
    assert tries.verdicts() == [(3, None), (2, "superseded")]
    tries.begin(2)  # made again: it was tried
    assert tries.running().version == 3


def test_a_trial_beside_a_champion_that_moved_meanwhile_does_not_begin(tries: Tries) -> None:
    with pytest.raises(ChampionMoved):
        tries.begin(3, judged=2)
    tries.begin(1)  # the champion itself
    assert tries.verdicts() == []


def test_whoever_moves_the_champion_ends_the_trial(tries: Tries) -> None:
    tries.begin(2)
    moves.promote(tries.releases, tries.name, 1, "ana", "it is that already")
    assert tries.running().version == 2
    moves.promote(tries.releases, tries.name, 2, "ana", "I know it")
    (ended,) = trials.newest(tries.settings, tries.name)
    assert (ended.verdict, ended.ended_at is not None) == ("promoted", True)
    assert ended.reason == "ana made version 2 champion meanwhile: I know it"
    tries.begin(3, judged=2)
    moves.rollback(tries.releases, tries.name, "ben", "no")
    assert tries.verdicts() == [(3, "stopped"), (2, "promoted")]
    assert tries.judged() == "none"


def test_one_that_cannot_be_served_ends_as_failed_once(tries: Tries) -> None:
    tries.begin(2)
    trial = tries.running()
    assert trials.fail(tries.settings, tries.name, trial.id, "other bits")
    assert not trials.fail(tries.settings, tries.name, trial.id, "other bits")
    assert tries.verdicts() == [(2, "failed")]
    assert tries.champion() == 1


@pytest.mark.parametrize(
    ("champion", "challenger", "verdict", "then"),
    [(5.0, 1.0, "promoted", 2), (1.0, 5.0, "back", 1), (1.0, 1.0, "back", 1)],
)
def test_labels_decide_and_however_many_judge_it_is_carried_out_once(
    tries: Tries, champion: float, challenger: float, verdict: str, then: int
) -> None:
    tries.begin(2)
    tries.pairs(60, champion, challenger)
    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda _: tries.judged(), range(4)))
    assert tries.verdicts() == [(2, verdict)]
    assert tries.champion() == then
    assert len(tries.releases.moves(tries.name)) == then
    (ended,) = trials.newest(tries.settings, tries.name)
    assert ended.evidence is not None
    assert ended.evidence["labelled_rows"] == 60
    assert ended.evidence["benefit"]["unit"] == "of absolute error"
    assert "60 rows" in str(ended.reason)
    if verdict == "promoted":
        why = tries.releases.moves(tries.name)[0]["why"]
        assert why == f"tried beside version 1: {ended.reason}"


JUDGE = """
import sys
from datetime import UTC, datetime
from resources.settings import get_settings
from resources.trial_judge import judge_trial
from tests.contract.test_trials import USE_CASE
judge_trial(get_settings(), sys.argv[1], USE_CASE, datetime.now(UTC))
"""


def test_a_judge_that_is_killed_has_done_nothing_and_the_next_does_all_of_it(
    tries: Tries,
) -> None:
    tries.begin(2)
    tries.pairs(60, 5.0, 1.0)
    killed = subprocess.run(
        [sys.executable, "-c", JUDGE, tries.name],
        env=os.environ | {"LEEWAY_FAULTS": "trial.in_verdict:kill", "PYTHONPATH": str(PROJECT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tries.verdicts(), tries.champion()) == ([(2, None)], 1)
    assert "promoted: it loses less" in tries.judged()
    assert (tries.verdicts(), tries.champion()) == ([(2, "promoted")], 2)


def test_a_trial_that_goes_on_says_what_it_waits_for(tries: Tries) -> None:
    tries.begin(2)
    tries.pairs(3, 2.0, 1.0)
    assert "goes on: 3 of 60 rows have labels" in tries.judged()
    found = tries.running()
    assert "too few for an interval" in str(found.reason)
    assert found.evidence == {
        "answered": 3,
        "failed": 0,
        "labelled_rows": 3,
        "benefit": {
            "value": pytest.approx(1.0, abs=0.5),
            "low": None,
            "high": None,
            "unit": "of absolute error",
        },
    }


def test_failures_alone_end_a_trial(tries: Tries) -> None:
    tries.begin(2)
    for number in range(20):
        error = "ValueError: \0\ud800" + "x" * LONGEST_ERROR if number < 8 else None
        identity = tries.answer(1, None, 1.0)
        tries.request(identity, shadow=None if error else 1.0, error=error)
    tries.write()
    assert "8 of 20 requests" in tries.judged()
    assert tries.verdicts() == [(2, "back")]


def test_labels_that_were_known_before_and_answers_that_came_again_do_not_count(
    tries: Tries,
) -> None:
    tries.label(("old", 0.0), ("mended", 0.0), at=datetime.now(UTC) - timedelta(days=1))
    tries.begin(2)
    for key in ("old", "mended", "new", "twice", "never"):
        tries.request(tries.answer(1, key, 3.0), shadow=1.0)
    tries.request(tries.answer(1, "twice", 9.0), shadow=1.0)
    tries.request(tries.answer(1, None, 9.0), shadow=1.0)
    tries.write()
    tries.label(("mended", 1.0), ("new", 5.0), ("twice", 0.0))
    tries.label(("new", 1.5))  # it takes the place of the one before, in the order, too
    tries.label(("unasked", 7.0))
    found = evidence_of(tries.settings, tries.running(), tries.use_case)
    assert found.differences.tolist() == [1.0, 2.0]  # new: 1.5 - 0.5; twice: 3 - 1
    assert (found.answered, found.failed, found.fewest) == (7, 0, None)


def test_of_a_canary_the_rows_count_for_whom_they_were_meant(tries: Tries) -> None:
    tries.begin(2, CANARY)
    trial = str(tries.running().id)
    keys = [f"c{number}" for number in range(300)]
    chosen = [is_challenged(trial, key, CANARY.share) for key in keys]
    for number, (key, challenger) in enumerate(zip(keys, chosen, strict=True)):
        noise = float(tries.noise.normal(0, 0.1))
        failed = challenger and number % 40 == 0  # the champion answered in its place
        value = 1.0 + noise if challenger and not failed else 4.0 + noise
        identity = tries.answer(2 if challenger and not failed else 1, key, value)
        error = "ValueError" if failed else None
        tries.request(identity, "challenger" if challenger else "champion", error=error)
    tries.write()
    tries.label(*((key, 0.0) for key in keys))
    found = evidence_of(tries.settings, tries.running(), tries.use_case)
    assert len(found.differences) == 300
    assert found.fewest == sum(chosen)
    assert found.answered + found.failed == sum(chosen)
    assert found.failed > 0
    assert 2 < found.differences.mean() < 4
    assert "promoted: it loses less" in tries.judged()
    assert tries.champion() == 2


def test_the_controller_sees_a_trial_that_runs_and_one_that_went_back(tries: Tries) -> None:
    def outcome() -> str:
        found = Recorded(tries.settings).results(tries.name, 1, [])
        return next(each.outcome for each in found if each.run_id == "run 2")

    assert outcome() == "held"
    tries.begin(2)
    assert outcome() == "on trial"
    tries.pairs(60, 1.0, 5.0)
    tries.judged()
    assert outcome() == "held"
