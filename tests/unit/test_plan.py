"""What a run materializes: what is missing or whose inputs changed, and nothing else."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from leeway.code_version import input_digest
from leeway.graph import node, nodes_of
from leeway.plan import WHOLE, Committed, Portion, Step, label, plan, portions

NODES = nodes_of("classification")
BATCH_NODES = {each.name for each in NODES if each.per_batch}
CHAMPION = "sha256:champion"


@dataclass
class History:
    """A use case in which every node commits exactly what the plan asks for."""

    batches: list[str] = field(default_factory=lambda: ["2008", "2009"])
    versions: dict[str, str] = field(default_factory=lambda: {n.name: "1" for n in NODES})
    committed: dict[tuple[str, str], Committed] = field(default_factory=dict)
    champion: str | None = CHAMPION
    sources: dict[str, str | None] = field(default_factory=dict)  # of `raw`

    def steps(self, *, everything: bool = False) -> list[Step]:
        return plan(
            NODES,
            self.versions,
            self.batches,
            self.committed,
            self.champion,
            {"raw": self.sources},
            everything=everything,
        )

    def runs(self) -> set[tuple[str, str]]:
        return {(step.node, step.batch) for step in self.steps() if step.runs}

    def run(self) -> None:
        """Commits each step that runs with the inputs that it has at that moment."""
        for step in self.steps():
            if step.runs:
                self.commit(step.node, step.batch)

    def commit(self, name: str, batch: str = WHOLE, digest: str = "") -> None:
        each, inputs, members = node(name), {}, ()
        for upstream in each.upstream:
            if not node(upstream).per_batch:
                found = self.committed[upstream, WHOLE].digest
                per_champion = upstream == "release" and each.per_batch
                inputs[upstream] = (self.champion or "none") if per_champion else found
                continue
            for at in [batch] if each.per_batch else self.batches:
                inputs[label(upstream, at)] = self.committed[upstream, at].digest
        if name in ("training_set", "reference_profile"):
            members = tuple(self.batches)  # type: ignore[assignment]  # any number of batches
        digests = input_digest(self.versions[name], batch, inputs)
        source = self.sources.get(batch) if name == "raw" else None
        self.committed[name, batch] = Committed(
            digests, digest or f"of {digests}", members, source=source
        )


@pytest.fixture
def history() -> History:
    found = History()
    found.run()
    return found


def every(*names: str, batches: tuple[str, ...] = ("2008", "2009")) -> set[tuple[str, str]]:
    """The named nodes with all their batches."""
    return {
        (name, batch) for name in names for batch in (batches if name in BATCH_NODES else (WHOLE,))
    }


ALL = tuple(each.name for each in NODES)
DATA = ("raw", "staged", "clean", "profile")
PER_CHAMPION = ("drift", "damage", "predictions", "performance", "report")


def test_everything_runs_when_nothing_was_committed() -> None:
    steps = History().steps()
    assert {(step.node, step.batch) for step in steps} == every(*ALL)
    assert {step.reason for step in steps} == {"never materialized"}
    assert all(step.runs for step in steps)


def test_nothing_runs_when_everything_was_committed_with_its_inputs(history: History) -> None:
    assert history.runs() == set()
    assert {step.reason for step in history.steps()} == {"up to date"}


def test_asking_for_everything_runs_everything(history: History) -> None:
    steps = history.steps(everything=True)
    assert all(step.runs for step in steps)
    assert steps[0].reason == "asked for everything"


@pytest.mark.parametrize(
    ("changed", "runs"),
    [
        ("raw", ALL),
        ("clean", tuple(name for name in ALL if name not in ("raw", "staged"))),
        ("profile", ("profile", "reference_profile", "release", *PER_CHAMPION)),
        ("training_set", tuple(n for n in ALL if n not in DATA)),
        ("tuned_model", ("tuned_model", "explainers", "release", *PER_CHAMPION)),
        ("reference_profile", ("reference_profile", "release", *PER_CHAMPION)),
        ("release", ("release", *PER_CHAMPION)),
        ("predictions", ("predictions", "performance", "report")),
        ("performance", ("performance", "report")),
        ("drift", ("drift", "report")),
        ("damage", ("damage", "report")),
        ("report", ("report",)),
    ],
)
def test_changed_code_runs_its_node_and_everything_downstream(
    history: History, changed: str, runs: tuple[str, ...]
) -> None:
    history.versions[changed] = "2"
    assert history.runs() == every(*runs)
    reasons = {step.node: step.reason for step in history.steps() if step.runs}
    assert reasons[changed] == "its code, its settings or its inputs changed"
    assert all("is materialized again" in reasons[name] for name in set(runs) - {changed})


def test_a_new_batch_runs_its_own_nodes_and_never_the_training_set(history: History) -> None:
    history.batches.append("2010")
    own = (*DATA, *PER_CHAMPION)
    assert history.runs() == every(*own, batches=("2010",))
    history.run()
    assert history.runs() == set()


def test_a_source_that_was_corrected_runs_its_batch_and_what_rests_on_it(history: History) -> None:
    """Regression: who corrected a file was told that everything is up to date."""
    history.sources = {"2008": "sha256:a", "2009": "sha256:b"}
    history.commit("raw", "2008")
    history.commit("raw", "2009")
    assert history.runs() == set()
    history.sources["2009"] = "sha256:corrected"
    steps = {(step.node, step.batch): step for step in history.steps() if step.runs}
    assert steps["raw", "2009"].reason == "its source changed"
    assert ("raw", "2008") not in steps
    assert steps["staged", "2009"].reason == "raw 2009 is materialized again"
    assert steps["tuned_model", WHOLE].reason == "training_set is materialized again"
    assert {"clean", "training_set", "release"} <= {name for name, _ in steps}


def test_a_batch_that_its_source_no_longer_holds_stays_as_it_was_read(history: History) -> None:
    history.sources = {"2008": "sha256:a", "2009": "sha256:b"}
    history.commit("raw", "2008")
    history.commit("raw", "2009")
    history.sources = {"2009": None}
    assert history.runs() == set()


def test_a_batch_that_changed_runs_the_training_set_that_holds_it(history: History) -> None:
    history.commit("raw", "2009", digest="other rows")
    assert history.runs() == every(*DATA[1:], *PER_CHAMPION) - every(
        *DATA[1:], batches=("2008",)
    ) | every(*(name for name in ALL if name not in BATCH_NODES))


def test_a_batch_that_is_not_in_the_training_set_leaves_it_alone_when_it_changes(
    history: History,
) -> None:
    history.batches.append("2010")
    history.run()
    history.commit("raw", "2010", digest="other rows")
    own = (*DATA[1:], *PER_CHAMPION)
    assert history.runs() == every(*own, batches=("2010",))


def test_a_batch_that_left_the_use_case_runs_the_training_set_that_held_it(
    history: History,
) -> None:
    history.batches.remove("2009")
    assert ("training_set", WHOLE) in history.runs()


def test_another_champion_runs_what_refers_to_it_for_every_batch(history: History) -> None:
    history.champion = "sha256:other"
    assert history.runs() == every(*PER_CHAMPION)


@pytest.mark.parametrize("asked", [False, True])
def test_what_refers_to_a_champion_waits_while_no_release_was_promoted(
    history: History, asked: bool
) -> None:
    """Regression: a use case whose release a gate rejected ran three nodes again every time."""
    history.champion = None
    for node_name, batch in every(*PER_CHAMPION):
        del history.committed[node_name, batch]
    steps = {(step.node, step.batch): step for step in history.steps(everything=asked)}
    for key in every(*PER_CHAMPION):
        # With everything, a release is made, and may be promoted.
        assert steps[key].runs is asked
        assert (steps[key].reason == "no release was promoted") is not asked


def test_a_lost_commit_runs_its_node_and_what_reads_it(history: History) -> None:
    del history.committed["predictions", "2008"]
    assert history.runs() == every("predictions", "performance", "report", batches=("2008",))


@pytest.mark.parametrize("task", ["classification", "regression", "experiment"])
def test_every_node_comes_after_what_it_reads(task: Any) -> None:
    seen: set[str] = set()
    for each in nodes_of(task):
        assert set(each.upstream) <= seen
        seen.add(each.name)


def test_steps_come_after_the_steps_that_they_read(history: History) -> None:
    history.versions["raw"] = "2"
    order = [step.node for step in history.steps()]
    for each in NODES:
        for upstream in each.upstream:
            last = max(i for i, name in enumerate(order) if name == upstream)
            assert last < order.index(each.name)


def test_an_unknown_node_is_an_error() -> None:
    with pytest.raises(KeyError):
        node("cleaned")


def test_what_dagster_was_not_told_of_is_made_again(history: History) -> None:
    key = ("explainers", WHOLE)
    history.committed[key] = replace(history.committed[key], told=False)
    running = {step.node: step.reason for step in history.steps() if step.runs}
    assert running["explainers"] == "its run ended before Dagster knew of it"
    assert set(running) == {"explainers", "release", *PER_CHAMPION}


# Portions

ORDER = ["2007", "2008", "2009", "2010"]


def running(history: History) -> list[Step]:
    return [step for step in history.steps() if step.runs]


def test_a_first_run_is_one_portion() -> None:
    first = History(batches=list(ORDER))
    assert portions(running(first), ORDER) == [Portion(ALL, tuple(ORDER))]


def test_a_new_batch_is_a_portion_of_its_own(history: History) -> None:
    history.batches.append("2010")
    found = portions(running(history), ["2008", "2009", "2010"])
    assert found == [Portion((*DATA, *PER_CHAMPION), ("2010",))]


def test_a_new_batch_is_not_a_reason_to_read_the_others_again(history: History) -> None:
    """Regression: new code of predictions and a new batch read every batch from its source."""
    history.batches.append("2010")
    history.versions["predictions"] = "2"
    everything = ("2008", "2009", "2010")
    assert portions(running(history), list(everything)) == [
        Portion((*DATA, "drift", "damage"), ("2010",)),
        Portion(("predictions", "performance", "report"), everything),
    ]


def test_batches_with_another_one_between_them_come_one_after_the_other(history: History) -> None:
    steps = [Step("raw", "2007", True, ""), Step("raw", "2009", True, ""),
             Step("clean", "2007", True, ""), Step("clean", "2009", True, "")]  # fmt: skip
    training = Step("training_set", WHOLE, True, "")
    assert portions([*steps, training], ORDER) == [
        Portion(("raw", "clean"), ("2007",)),
        Portion(("raw", "clean"), ("2009",)),
        Portion(("training_set",), ()),
    ]


@pytest.mark.parametrize("seed", range(50))
def test_portions_hold_every_step_once_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    wanted = [
        Step(each.name, batch, True, "")
        for each in NODES
        if rng.random() < 0.7
        for batch in (ORDER if each.per_batch else [WHOLE])
        if not each.per_batch or rng.random() < 0.6
    ]
    found = [
        (name, batch)
        for portion in portions(wanted, ORDER)
        for name in portion.nodes
        for batch in (portion.batches if name in BATCH_NODES else [WHOLE])
    ]
    assert sorted(found) == sorted((step.node, step.batch) for step in wanted)
    for each in NODES:
        for upstream in set(each.upstream) & {name for name, _ in found}:
            firsts = [i for i, (name, _) in enumerate(found) if name == each.name]
            for at in firsts:
                batch = found[at][1]
                needed = [i for i, key in enumerate(found) if key[0] == upstream
                          and (not batch or key[1] in (batch, WHOLE))]  # fmt: skip
                assert not needed or max(needed) < at
