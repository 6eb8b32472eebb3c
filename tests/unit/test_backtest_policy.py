"""The file of the other policy: what it says over today's, and what is refused.

Belongs here: reading it. Does not belong here: what follows from a policy (test_backtest.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leeway.backtest.errors import CannotBacktest
from leeway.backtest.policy import Policy, under
from leeway.spec import Drift, Retraining
from resources.backtest import read_policy
from tests.unit.backtests import use_case


def refused(path: Path) -> str:
    """What is said of a file, after its name."""
    with pytest.raises(CannotBacktest) as error:
        read_policy(path, use_case())
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def test_what_a_policy_leaves_out_is_todays(tmp_path: Path) -> None:
    case = use_case(drift={"effect": 0.1, "min_rows": 50}, retraining={"cooldown": "3d"})
    path = tmp_path / "other.yaml"
    path.write_text("drift: {effect: 0.2, smallest_change: {a: 0.5}}")
    policy = read_policy(path, case)
    assert policy == Policy(
        drift=Drift(effect=0.2, min_rows=50, smallest_change={"a": 0.5}),
        retraining=Retraining(cooldown="3d"),
    )
    assert under(case, policy).drift.effect == 0.2


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("drifts: {}", "the file", "did you mean 'drift'"),
        ("drift: {efect: 0.1}", "drift", "did you mean 'effect'"),
        ("drift: {effect: 2}", "drift.effect", "less than 1, got 2"),
        ("drift: {effect: much}", "drift.effect", "got 'much'"),
        ("drift: {effect: .nan}", "drift.effect", "finite number, got nan"),
        ("drift: {smallest_change: {c: 1}}", "drift.smallest_change", "unknown name 'c'"),
        ("drift: 3", "drift", "got 3"),
        ("retraining: [damage]", "retraining", "got ['damage']"),
        (
            "retraining: {on: drift}",
            "retraining.on",
            "a list of any of drift, damage, freshness, performance, such as [drift], got 'drift'",
        ),
        ("retraining: {cooldown: soon}", "retraining.cooldown", "such as 36h"),
    ],
)
def test_what_a_policy_may_not_say_is_refused_with_its_field(
    tmp_path: Path, text: str, field: str, words: str
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(text)
    said = refused(path)
    assert said.startswith(f"{field}: ")
    assert words in said


@pytest.mark.parametrize("text", ["", "# nothing", "[]", "{}", "drift", "- drift: {}"])
def test_a_file_without_a_block_says_which_there_are(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(text)
    assert refused(path) == "needs the keys drift, retraining or both, as in a defs.yaml"


def test_a_key_that_is_given_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    """YAML would silently take the last."""
    path = tmp_path / "other.yaml"
    path.write_text("drift:\n  effect: 0.1\nretraining:\n  budget: 2\n  budget: 3\n")
    said = refused(path)
    assert "the key 'budget' is given more than once" in said
    assert "line 5, column 3" in said


def test_what_is_no_yaml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("drift: {effect: [}")
    assert "line 1, column 18" in refused(path)
    path.write_bytes("# größer".encode("latin-1"))
    assert refused(path) == "byte 5 is not UTF-8 (invalid start byte); save the file as UTF-8"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml").startswith("No such file or directory; name a file")
    assert refused(tmp_path).startswith("Is a directory; name a file")
