"""What `leeway why` says: each cause and verdict, and `unknown` for each fact that is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leeway import performance
from leeway.why.batch import BatchStory, about_batch
from leeway.why.facts import (
    ALL_ROWS,
    Check,
    Gone,
    Lineage,
    Metric,
    Run,
    Runs,
    Scored,
    Story,
    Training,
)
from leeway.why.predicted import Prediction, about_prediction
from leeway.why.statement import Answer, Statement, check, git, row, run, short, some, stored
from leeway.why.story import about_none, about_version
from leeway.why.trained import COMMAND_TAG, SCHEDULE_TAG
from leeway.why.window import Looked
from orchestration.jobs import COMMAND_TAG as JOBS_COMMAND_TAG
from tests.unit.stories import AT, decision, history, incident, made, manifest, story


def told(answer: Answer, topic: str) -> list[Statement]:
    return [each for each in answer.statements if each.topic == topic]


def text(answer: Answer, topic: str) -> str:
    return "\n".join(each.text for each in told(answer, topic))


def unknowns(answer: Answer) -> list[str]:
    return [each.text for each in answer.statements if not each.known]


def tables(answer: Answer, topic: str) -> set[str]:
    return {
        str(cited.key["table"])
        for each in told(answer, topic)
        for cited in each.rests_on
        if cited.kind == "ledger"
    }


def test_a_version_that_was_recorded_in_full_has_nothing_unknown_and_every_sentence_cites() -> None:
    answer = about_version(story())
    assert unknowns(answer) == []
    assert [each.text for each in answer.statements if not each.rests_on] == []
    assert list(dict.fromkeys(each.topic for each in answer.statements)) == [
        "trained because", "trained on", "chosen by", "judged by", "champion", "since then",
        "retraining",
    ]  # fmt: skip


@pytest.mark.parametrize("cause", ["drift", "damage", "performance"])
def test_an_incident_is_told_with_its_verdict_decision_and_policy(cause: str) -> None:
    facts: dict[str, Any] = {"reason": "x moved.", "verdict": "confirmed"}
    if cause == "performance":
        facts = {"broken_gates": ["mae is 9.", "rmse is 8."]}
    answer = about_version(
        story(incident=incident(cause=cause), verdict=made(41, cause, "2011", facts=facts))
    )
    found = text(answer, "trained because")
    assert f"{cause.capitalize()} of x was found in batch 2011 against version 1" in found
    assert "mae is 9. rmse is 8." in found if cause == "performance" else "x moved." in found
    assert "The controller decided to train" in found
    assert "on drift, confirm_after 1, cooldown 1d, budget 5" in found
    assert tables(answer, "trained because") == {
        "leeway.incidents", "leeway.releases", "leeway.commits", "leeway.decisions",
        "leeway.definitions", "leeway.trainings",
    }  # fmt: skip


def test_the_age_of_a_champion_has_no_verdict_and_no_run() -> None:
    aged = incident(cause="freshness", columns=["the model"], run_id="", origin="unknown")
    answer = about_version(story(incident=aged, verdict=None))
    assert "Version 1 had become too old, while batch 2011 was there" in text(
        answer, "trained because"
    )
    assert unknowns(answer) == []
    runs = [c for each in answer.statements for c in each.rests_on if c.kind == "run"]
    assert all(each.key["id"] for each in runs)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("world", "the world moved"),
        ("pipeline", "our own pipeline moved it"),
        ("unknown", "who moved is unknown"),
    ],
)
def test_who_moved_is_said(origin: str, said: str) -> None:
    assert said in text(about_version(story(incident=incident(origin=origin))), "trained because")


def by_hand(tags: dict[str, str], job: str = "u_graph") -> Answer:
    release = story().release._replace(incident=None)
    runs = Runs({"train": Run("train", job, "SUCCESS", tags)})
    return about_version(story(release=release, incident=None, trainings=[], runs=runs))


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({SCHEDULE_TAG: "u_weekly"}, "the schedule u_weekly ran u_graph"),
        ({COMMAND_TAG: "c"}, "by hand, by a command of leeway"),
        ({}, "started in Dagster by neither a schedule nor a command of leeway, so by hand"),
    ],
)
def test_what_no_incident_asked_for_is_told_by_its_run(tags: dict[str, str], said: str) -> None:
    answer = by_hand(tags)
    assert said in text(answer, "trained because")
    assert "first release" not in text(answer, "trained because")
    assert "incident sha256" not in text(answer, "trained because")


def test_the_first_release_is_called_so() -> None:
    first = story().release._replace(version=1, digest="sha256:release-1", incident=None)
    answer = about_version(story(release=first, incident=None, trainings=[]))
    assert "It is the first release of the use case." in text(answer, "trained because")


def test_a_later_training_that_came_to_the_same_release_is_told_with_its_incident() -> None:
    again = Training("sha256:later", 2, "again", AT, 2, True, None, AT)
    answer = about_version(story(trainings=[*story().trainings, again]))
    first, second = [
        each for each in text(answer, "trained because").splitlines() if "Att" in each
    ][-2:]
    assert second.startswith("Attempt 2 at incident sha256:later began")
    assert "the very release that the incident is about" in second
    assert first.startswith("Attempt 1 began")
    assert "the very release" not in first


@pytest.mark.parametrize(
    ("verdict", "said"), [("promote", "released"), ("hold", "held"), ("reject", "rejected")]
)
def test_each_verdict_is_told_with_its_gates_and_its_rival(verdict: str, said: str) -> None:
    release = story().release._replace(verdict=verdict, reason="Because.")
    answer = about_version(story(release=release))
    found = text(answer, "judged by")
    assert f"It was {said}, 2026-11-23 08:30:00 UTC: Because." in found
    assert "Gate kept: mae is 2 on 20 rows" in found
    assert "Beside version 1 on the same 20 held-out rows" in found
    assert "-0.5 (95 % interval -0.9 to -0.1; below 0 is better)" in found
    assert row("leeway.releases", use_case="u", version=1) in [
        cited for each in told(answer, "judged by") for cited in each.rests_on
    ]


def test_a_broken_gate_and_a_comparison_that_was_not_made() -> None:
    broken = manifest()["decision"]["gates"][0] | {"passed": False, "reason": "mae is 9."}
    answer = about_version(story(manifest=manifest(gates=[broken], comparison=None)))
    assert "Gate broken: mae is 9." in text(answer, "judged by")
    assert "not compared on the same rows: against version 1, a gate was broken" in text(
        answer, "judged by"
    )
    few = {"metric": "mae", "difference": 0.1, "low": None, "high": None, "rows": 3, "champion": 1}
    assert "too few rows for an interval" in text(
        about_version(story(manifest=manifest(comparison=few))), "judged by"
    )


def test_moves_to_a_version_and_away_from_it_are_told_in_their_order() -> None:
    rolled = (
        history()
        .moves[1]
        ._replace(id=3, version=1, previous=2, action="rollback", who="ann", why="complaints")
    )
    answer = about_version(story(history=history(moves=[*history().moves, rolled])))
    assert [each.text for each in told(answer, "champion")] == [
        "Leeway itself promoted it, 2026-11-23 08:30:00 UTC, in the place of version 1: "
        "It is better.",
        "It was champion until 2026-11-23 08:30:00 UTC; rollback to version 1 by ann: complaints",
        "Version 1 is champion now, since 2026-11-23 08:30:00 UTC.",
    ]
    assert answer.about["champion"] is False


def test_checks_are_cited_by_the_run_that_made_them_and_those_that_failed_are_counted() -> None:
    checks = [
        Check("u/clean", "not_null", "run", "SUCCEEDED"),
        Check("u/raw", "few_rejects", "run", "FAILED"),
        Check("u/raw", "few_rejects", "another run", "FAILED"),
    ]
    answer = about_version(story(runs=Runs(story().runs.by_id, [*story().runs.checks, *checks])))
    rows = next(each for each in told(answer, "trained on") if "clean rows" in each.text)
    assert "of 2 checks of that run 1 failed." in rows.text
    assert check("u/raw", "few_rejects", "run") in rows.rests_on
    assert check("u/raw", "few_rejects", "another run") not in rows.rests_on
    verdict = next(e for e in told(answer, "trained because") if "The verdict on" in e.text)
    assert check("u/drift", "no_drift", "look") in verdict.rests_on


def test_algorithms_are_told_with_their_scores_or_why_they_have_none() -> None:
    found = text(about_version(story()), "chosen by")
    assert "tree was chosen of tree 2 ± 0.1, forest (failed: no memory)." in found
    assert "Chosen before it: imputation of x: median." in found
    assert "trial 4 was taken, with mae 1.9, +0.1 (standard error 0.05) over the defaults" in found
    assert "The seed was 42, with 5 folds and at most 30 trials" in found


def test_a_held_version_was_never_champion_and_may_wait_for_a_person() -> None:
    heads = [history().releases[0], history().releases[1]._replace(awaits_person=True)]
    answer = about_version(story(history=history(releases=heads, moves=history().moves[:1])))
    assert "It was never champion. It waits for a person: `leeway promote u 2`." in text(
        answer, "champion"
    )


def older_rows() -> Lineage:
    """Clean rows that an older Leeway committed, in a training set of this one."""
    clean = {"2010": made(10, "clean", "2010", version=None, inputs=None)}
    return replace(story().lineage, clean=clean, raw={})


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ({"incident": None, "verdict": None}, "The incident that it was trained for"),
        ({"verdict": None}, "The verdict that confirmed it"),
        ({"decision": None}, "Who decided to train"),
        ({"definitions": {}}, "The numbers of the policy"),
        ({"definitions": {}}, "The seed of the search"),
        ({"training_set": None}, "The rows of training set sha256:training_set"),
        ({"tuned": None}, "By whom, and from which commit of the project"),
        ({"tuned": made(46, "tuned_model", facts={})}, "By whom, and from which commit"),
        ({"tuned": made(46, "t", facts={"git_commit": None, "user": "a"})}, "The commit"),
        ({"training_set": story().training_set._replace(inputs=None)}, "Which clean rows are in"),  # type: ignore[union-attr]
        ({"lineage": Lineage()}, "The clean rows of batch 2010"),
        ({"lineage": replace(story().lineage, raw={})}, "The raw rows of batch 2010"),
        ({"lineage": older_rows()}, "The raw rows of batch 2010: unknown, it was committed by an"),
        ({"lineage": older_rows()}, "The code version of the dbt models that made 2010"),
        ({"manifest": Gone("it is gone")}, "Gates and comparison: unknown, it is gone"),
        ({"selection": Gone("it is gone")}, "The comparison of algorithms: unknown, it is gone"),
        ({"tuning": Gone("it is gone")}, "How its parameters were tuned: unknown, it is gone"),
        ({"history": history(decisions=[])}, "Why it is trained again, or is not"),
    ],
)
def test_each_fact_that_is_missing_is_unknown_with_the_reason(
    missing: dict[str, Any], what: str
) -> None:
    found = [each for each in unknowns(about_version(story(**missing))) if each.startswith(what)]
    assert found, unknowns(about_version(story(**missing)))
    assert all(len(each.partition(": unknown, ")[2]) > 5 for each in found)


def test_what_an_older_leeway_did_not_keep_of_a_source_is_not_taken_for_none() -> None:
    def given(**facts: Any) -> str:
        raw = {b: c._replace(facts={**c.facts, **facts}) for b, c in story().lineage.raw.items()}
        return text(about_version(story(lineage=replace(story().lineage, raw=raw))), "trained on")

    assert "the digest of the source is sha256:given" in given()
    assert "the digest of the source is none" in given(source_digest=None)
    kept = story().lineage.raw["2010"].facts
    older = {name: value for name, value in kept.items() if name != "source_digest"}
    raw = {b: c._replace(facts=older) for b, c in story().lineage.raw.items()}
    told = text(about_version(story(lineage=replace(story().lineage, raw=raw))), "trained on")
    assert "the digest of the source is unknown" in told


def test_what_an_older_leeway_released_is_compared_with_nobody_knows_whom() -> None:
    facts = {"uri": "u", "training_set": "sha256:training_set"}
    answer = about_version(story(release=story().release._replace(facts=facts)))
    (found,) = [each for each in told(answer, "judged by") if not each.known]
    assert "a champion whose version an older Leeway did not record" in found.text


def test_a_run_that_dagster_does_not_have_any_more_leaves_the_trigger_unknown() -> None:
    release = story().release._replace(incident=None)
    for runs, why in [
        (Runs(), "no run train any more"),
        (Runs(problem="it is away"), "it is away"),
    ]:
        answer = about_version(story(release=release, incident=None, trainings=[], runs=runs))
        assert any(why in each for each in unknowns(answer))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("retrain", "asked for a training"),
        ("wait", "waits"),
        ("nothing", "does nothing"),
        ("alert", "raised an alert and trains nothing"),
    ],
)
def test_why_nothing_was_trained_is_the_controllers_last_decision(action: str, said: str) -> None:
    newest = decision(seq=9, action=action, reason="LEEWAY_RETRAINING is off.")
    answer = about_version(story(history=history(decisions=[decision(), newest])))
    first, second = told(answer, "retraining")
    assert f"The controller {said}" in first.text
    assert "LEEWAY_RETRAINING is off." in first.text
    assert "stands since" in first.text
    assert "was made" in second.text


def test_a_refused_training_is_told_with_the_reason() -> None:
    refused = Training("sha256:i", 2, "r", AT, None, False, "retraining.enabled is false", AT)
    answer = about_version(story(history=history(refused=[refused])))
    assert "refused, 2026-11-23 08:30:00 UTC: retraining.enabled is false." in text(
        answer, "retraining"
    )


def test_what_happened_since_names_the_newest_look_and_cites_each_confirmed_one() -> None:
    def look(number: int, batch: str, verdict: str) -> Any:
        facts = {"verdict": verdict, "reason": f"{batch} is {verdict}.", "version": 2}
        return made(number, "drift", batch, facts=facts)

    broken = made(9, "performance", "2013", facts={"broken_gates": ["mae is 9."], "version": 2})
    answer = about_version(
        story(
            looks=[look(1, "2011", "confirmed"), look(2, "2012", "none"), broken],
            metrics=[Metric("2013", 2, ALL_ROWS, "mae", 9.0, 8.0, 10.0, "mm", 50)],
            scored=[Scored("2013", "r", 2, "sha256:release-2", 50, AT)],
            incidents=[incident(batch="2011")],
        )
    )
    found = text(answer, "since then")
    assert "Drift on 2 batches: confirmed 1, none 1" in found
    assert "the newest, 2012: none. 2012 is none." in found
    assert "mae 9 (8 to 10). In batch 2013 a gate was broken: mae is 9." in found
    assert "It predicted the batches 2013, last 50 rows of 2013" in found
    assert "Incident against it" in found
    cited = [c.key.get("id") for c in told(answer, "since then")[0].rests_on]
    assert cited == [2, 1]


def test_without_a_champion_each_version_says_why_it_is_none() -> None:
    held = [
        history().releases[0]._replace(verdict="reject", reason="A gate is broken."),
        history().releases[1]._replace(verdict="hold", reason="It waits.", awaits_person=True),
    ]
    answer = about_none(history(releases=held, moves=[]))
    assert "Version 1 was rejected" in text(answer, "champion")
    assert "A gate is broken." in text(answer, "champion")
    assert "`leeway promote u 2` makes it the champion." in text(answer, "champion")
    nothing = replace(history(), releases=[], moves=[], decisions=[])
    (come,) = about_none(nothing).statements
    assert "came no further than raw (2), clean (2), release; `leeway run u`" in come.text
    (never,) = about_none(replace(nothing, committed={})).statements
    assert "nothing was ever materialized" in never.text
    (design,) = about_none(replace(nothing, committed={"effects": 1})).statements
    assert "experiment" in design.text


def test_an_answer_of_a_service_tells_of_its_window() -> None:
    facts: dict[str, Any] = {"version": 2, "verdict": "confirmed", "reason": "sex moved."}
    labels: dict[str, Any] = {"version": 2, "maturity": 0.25, "broken_gates": ["mae is 9."]}
    drift = made(61, "traffic_drift", "traffic-2026-11-23T08", facts=facts)
    labelled = made(62, "traffic_performance", "traffic-2026-11-23T08", facts=labels)
    looked = Looked("u", "traffic-2026-11-23T08", drift, labelled)
    answer = about_prediction(prediction(batch=None, window=looked), story(), history())
    found = "\n".join(each.text for each in answer.statements)
    assert "part of window traffic-2026-11-23T08, whose drift from version 2 is confirmed" in found
    assert "sex moved." in found
    assert "25% have a label by now. mae is 9." in found
    unlooked = replace(looked, drift=None)
    for window, why in ((unlooked, "was not looked at yet"), (Gone("not closed"), "not closed")):
        answer = about_prediction(prediction(batch=None, window=window), story(), history())
        assert any(why in each for each in unknowns(answer))


def prediction(**changes: Any) -> Prediction:
    found = Prediction(
        "u/2011/7", "u", 2, "sha256:release-2", {"id": 7, "prediction": 1.5}, AT,
        (row("leeway.commits", id=51),), "2011", {"id": 7, "x": 2.0}, 7, story().lineage,
    )  # fmt: skip
    return replace(found, **changes)


def test_a_prediction_goes_back_to_its_rows_its_source_and_its_training_set() -> None:
    answer = about_prediction(prediction(), story(), history())
    found = "\n".join(each.text for each in answer.statements)
    for said in (
        "Version 2 said, 2026-11-23 08:30:00 UTC: id 7, prediction 1.5.",
        "The clean row was: id 7, x 2.",
        "It was row 7 of batch 2011 as the source gave it.",
        "Batch 2011 came from folder x (real)",
        "Training set sha256:training_set",
    ):
        assert said in found
    assert unknowns(answer) == []


def test_of_a_prediction_what_is_not_recorded_is_unknown() -> None:
    lost = prediction(clean=Gone("it is gone"), raw_row=Gone("it was read again"))
    found = unknowns(about_prediction(lost, None, history()))
    assert found == [
        "The release that predicted: unknown, version 2 was released again since, under another "
        "digest",
        "The clean row that it was made of: unknown, it is gone",
        "Which row of the source it was: unknown, it was read again",
    ]


def test_a_prediction_of_no_batch_has_no_row_of_one() -> None:
    answer = about_prediction(prediction(batch=None), story(), history())
    assert told(answer, "batch") == []
    assert len(told(answer, "prediction")) == 2


def test_a_batch_names_what_rests_on_it_or_that_nothing_does() -> None:
    full = BatchStory(
        history(), "2011", story().lineage, [2],
        [made(41, "drift", "2011", facts={"verdict": "none", "reason": "No.", "version": 1})],
        [incident()], [Scored("2011", "r", 1, "sha256:release-1", 99, AT)],
    )  # fmt: skip
    found = text(about_batch(full), "batch")
    assert "Version 2 was trained on it, and was released (champion now)." in found
    assert "Drift under version 1" in found
    assert "Version 1 predicted 99 rows of it" in found
    assert "An incident was found in it" in found
    empty = about_batch(BatchStory(history(), "2012", Lineage()))
    assert "No release was trained on it." in text(empty, "batch")
    assert "`leeway run u --batch 2012`" in unknowns(empty)[0]


def test_citations_are_told_short_and_kept_whole() -> None:
    digest = "sha256:" + "ab" * 32
    assert stored(digest, "file:///x").told == "sha256:abababababab"
    assert run("1b2c3d4e-0000-0000-0000-000000000000").told == "run 1b2c3d4e"
    assert git("f" * 40 + "-dirty").told == "git ffffffffffff-dirty"
    assert (
        short(f"Set {digest}: 3 rows of 2011-01.") == "Set sha256:abababababab: 3 rows of 2011-01."
    )
    assert row("leeway.moves", id=3).told == "moves 3"
    whole = Statement("since then", "x", (stored(digest, "file:///x"),)).as_dict()
    assert whole["citations"] == [{"kind": "object", "digest": digest, "uri": "file:///x"}]


def test_many_names_are_told_by_the_first_and_the_last() -> None:
    assert some([]) == "none"
    assert some(["a", "b"]) == "a, b"
    assert some([str(i) for i in range(100)], 3) == "0, 1, … 99 (100 in all)"


def test_names_that_are_repeated_for_their_imports_are_those() -> None:
    assert performance.WHOLE == ALL_ROWS
    assert JOBS_COMMAND_TAG == COMMAND_TAG


def test_the_story_of_a_version_needs_no_clock() -> None:
    """The same facts are the same answer."""
    assert about_version(story()).as_dict() == about_version(story()).as_dict()
    assert isinstance(story(), Story)
