"""Why, of what was made again since or is of an older ledger.

Belongs here: what is read then. Does not belong here: the sentences (tests/unit/test_why.py).
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leeway.served.contract import Estimated, Estimates
from leeway.served.logged import Answered, as_copied
from resources.inference_log import write
from resources.ledger import Ledger
from resources.postgres import transaction
from resources.releases import Release, Releases
from resources.settings import Settings
from resources.store import LocalStore
from resources.why.answers import why_prediction, why_version
from resources.why.reading import NotRecorded

NAME = "u"


class Told:
    """An installation with one version."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.store, self.ledger = settings, LocalStore(folder), Ledger(settings)

    def commit(self, node: str, user: str, digest: str, **facts: Any) -> None:
        attempt = self.ledger.begin(NAME, node, "", f"run of {user}")
        self.ledger.commit(
            attempt, input_digest="key 1", digest=digest, uri="file:///none", rows=1,
            facts={"user": user, "git_commit": None, **facts},
        )  # fmt: skip

    def release(self) -> None:
        facts = {"uri": "file:///none", "training_set": "sha256:set", "batches": [], "metrics": {}}
        made = Release(
            NAME, 1, "sha256:1", "key 1", "ridge", "hold", "better", facts, None, "run",
            datetime.now(UTC),
        )  # fmt: skip
        with transaction(self.settings) as cursor:
            Releases(self.settings).record(cursor, made)

    def text(self) -> str:
        answer = why_version(self.settings, self.store, NAME, 1)
        return "\n".join(each.text for each in answer.statements)


@pytest.fixture
def told(settings: Settings, tmp_path: Path) -> Told:
    return Told(settings, tmp_path)


def test_a_later_training_says_nothing_of_who_made_a_version(told: Told) -> None:
    told.commit("training_set", "ana", "sha256:set", batches=[])
    told.commit("tuned_model", "ana", "sha256:model")
    told.release()
    assert "The user ana fitted it" in told.text()
    told.commit("tuned_model", "bob", "sha256:model")
    text = told.text()
    assert "bob" not in text
    assert "its training was made again since" in text


def answered(told: Told, **inputs: Any) -> str:
    given = Estimated(uuid.uuid4().hex, 1.5, (1.0, 2.0), [])
    answers = Estimates(
        use_case=NAME, target="y", unit=None, coverage=0.9, model_version=1, release="sha256:1",
        predictions=[given],
    )  # fmt: skip
    write(told.settings, as_copied([Answered(time.time(), 0.1, [inputs], answers)]))
    return given.prediction_id


def test_an_input_takes_no_place_of_what_was_answered(told: Told) -> None:
    name = answered(told, low=7.0, prediction="mine")
    answer = why_prediction(told.settings, told.store, name)
    assert answer.about["answer"]["prediction"] == 1.5
    assert answer.about["inputs"] == {"low": 7.0, "prediction": "mine"}
    said, asked = answer.statements[:2]
    assert "prediction 1.5" in said.text
    assert asked.text == "It was asked with: low 7, prediction mine."


def test_a_ledger_from_before_windows_answers_for_a_prediction(told: Told) -> None:
    name = answered(told, x=1.0)
    with transaction(told.settings) as cursor:
        cursor.execute("drop table leeway.windows")
    answer = why_prediction(told.settings, told.store, name)
    assert any("`leeway status` brings it up to date" in each.text for each in answer.statements)
    for odd in ("u/b", "nonsense", "A/b/1"):
        with pytest.raises(NotRecorded):
            why_prediction(told.settings, told.store, odd)
