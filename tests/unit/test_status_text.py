"""What `leeway status` tells a person of a release that waits for one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cli.output import console
from cli.status import _metrics, print_status
from orchestration.use_cases import load_use_cases

CHAMPION = {"version": 1, "algorithm": "ridge", "trained_at": "2026-11-22T09:00:00Z"}
COMMAND = "version 2 waits for `leeway promote boats 2`"


def status_of(champion: dict[str, Any] | None) -> dict[str, Any]:
    """What is known of a use case with one batch."""
    data = {"rows": 9, "batches": 1, "rejected": 0, "last_batch": "1", "source": "file"}
    return {
        "task": "regression", "data": data, "champion": champion,
        "metrics": {}, "drift": {"verdict": "none", "reason": "."}, "freshness": "pass",
        "checks": {"passed": 1, "failed": []}, "last_run": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("champion", "waiting", "says"),
    [
        (None, None, "none; run `leeway run boats`"),
        (None, 2, f"none; {COMMAND}"),
        (CHAMPION, None, "version 1, ridge, 2026-11-22T09:00:00Z"),
        (CHAMPION, 2, f"version 1, ridge, 2026-11-22T09:00:00Z; {COMMAND}"),
    ],
)
def test_the_champion_and_what_waits_to_be_one_are_in_one_line(
    champion: dict[str, Any] | None,
    waiting: int | None,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console, "width", 200)
    status = status_of(champion)
    waits = {"boats": waiting} if waiting else {}
    print_status({"use_cases": {"boats": status}}, waits, {})
    lines = "".join(capsys.readouterr()).splitlines()
    assert [line.partition("champion")[2].strip() for line in lines if "champion" in line] == [says]


@pytest.mark.parametrize(
    ("decided", "says"),
    [
        ({"boats": "no benefit, look: held."}, "no benefit, look: held."),
        ({}, "nothing decided yet; the sensors work under `leeway dev`"),
    ],
)
def test_the_last_decision_of_the_controller_is_told(
    decided: dict[str, str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console, "width", 200)
    status = status_of(None)
    print_status({"use_cases": {"boats": status}}, {}, decided)
    lines = "".join(capsys.readouterr()).splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if "retraining" in line] == [says]


def test_a_champion_of_another_task_has_the_metrics_that_it_has() -> None:
    """Regression: status ended in a KeyError once the task of a use case was changed."""
    champion: Any = SimpleNamespace(facts={"metrics": {"accuracy": 1, "macro_f1": 2, "brier": 3}})
    of = {name: [*_metrics(champion, load_use_cases()[name])] for name in ("penguins", "housing")}
    assert of["penguins"] == ["macro_f1", "accuracy", "brier"]
    assert of["housing"] == ["accuracy", "macro_f1", "brier"]
