"""What a run materializes: what is missing or whose inputs changed, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from leeway.graph import input_digest, node, nodes_of
from leeway.plan import WHOLE, Committed, Step, label, plan

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

    def steps(self, *, everything: bool = False) -> list[Step]:
        return plan(
            NODES,
            self.versions,
            self.batches,
            self.committed,
            self.champion,
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
        if name == "training_set":
            members = tuple(self.batches)  # type: ignore[assignment]  # any number of batches
        digests = input_digest(self.versions[name], batch, inputs)
        self.committed[name, batch] = Committed(digests, digest or f"of {digests}", members)


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
PER_CHAMPION = ("predictions", "performance", "drift")


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
        ("training_set", tuple(n for n in ALL if n not in ("raw", "staged", "clean"))),
        ("tuned_model", ("tuned_model", "explainers", "release", *PER_CHAMPION)),
        ("reference_profile", ("reference_profile", "release", *PER_CHAMPION)),
        ("release", ("release", *PER_CHAMPION)),
        ("predictions", ("predictions", "performance")),
        ("performance", ("performance",)),
        ("drift", ("drift",)),
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
    own = ("raw", "staged", "clean", *PER_CHAMPION)
    assert history.runs() == every(*own, batches=("2010",))
    history.run()
    assert history.runs() == set()


def test_a_batch_that_changed_runs_the_training_set_that_holds_it(history: History) -> None:
    history.commit("raw", "2009", digest="other rows")
    assert history.runs() == every("staged", "clean", *PER_CHAMPION) - every(
        "staged", "clean", batches=("2008",)
    ) | every(*(name for name in ALL if name not in BATCH_NODES))


def test_a_batch_that_is_not_in_the_training_set_leaves_it_alone_when_it_changes(
    history: History,
) -> None:
    history.batches.append("2010")
    history.run()
    history.commit("raw", "2010", digest="other rows")
    own = ("staged", "clean", *PER_CHAMPION)
    assert history.runs() == every(*own, batches=("2010",))


def test_a_batch_that_left_the_use_case_runs_the_training_set_that_held_it(
    history: History,
) -> None:
    history.batches.remove("2009")
    assert ("training_set", WHOLE) in history.runs()


@pytest.mark.parametrize("champion", ["sha256:other", None])
def test_another_champion_runs_what_refers_to_it_for_every_batch(
    history: History, champion: str | None
) -> None:
    history.champion = champion
    assert history.runs() == every(*PER_CHAMPION)


def test_a_lost_commit_runs_its_node_and_what_reads_it(history: History) -> None:
    del history.committed["predictions", "2008"]
    assert history.runs() == every("predictions", "performance", batches=("2008",))


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
    assert running["explainers"] == "its run was killed before Dagster knew of it"
    assert set(running) == {"explainers", "release", *PER_CHAMPION}
