"""Who moved: one fault is planted at a step of the cleaning, and that step is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from leeway.definitions import definitions_of, of_column
from leeway.drift.declared import profile_table
from leeway.drift.origin import LAYERS, Origin, origin_of, who_of
from leeway.drift.policy import UsualPolicy
from leeway.drift.profile import merge_profiles
from leeway.drift.stored import Stored
from leeway.drift.verdict import BatchDrift, compare_profiles
from leeway.drift.who_moved import who_told
from leeway.spec import Column
from orchestration.use_cases import load_use_cases

ROWS = 3000
FAULTS = 200
COLUMNS = [
    Column(name="weight", type="number", unit="kg", description="."),
    Column(name="height", type="number", unit="cm", description="."),
    Column(name="plan", type="category", description="."),
    Column(name="quiet", type="number", description="."),
]
Step = Callable[[pa.Table], pa.Table]


def given(rng: np.random.Generator) -> pa.Table:
    """What the source has: 15 % of the weights are missing."""
    weight = pa.array(rng.normal(70, 10, ROWS), mask=rng.random(ROWS) < 0.15)
    return pa.table(
        {
            "weight": weight,
            "height": rng.normal(170, 8, ROWS),
            "plan": rng.choice(["basic", "plus", "gold"], ROWS, p=[0.6, 0.3, 0.1]),
            "quiet": rng.lognormal(0, 1, ROWS),
        }
    )


def changed(column: str, how: Callable[[np.ndarray], np.ndarray]) -> Step:
    def step(table: pa.Table) -> pa.Table:
        place = table.column_names.index(column)
        values = table[column].to_numpy(zero_copy_only=False)
        return table.set_column(place, column, pa.array(how(values), from_pandas=True))

    return step


def as_it_is(table: pa.Table) -> pa.Table:
    return table


def filtered(table: pa.Table) -> pa.Table:
    """The usual cleaning: heights out of range are dropped."""
    return table.filter(pa.compute.greater(table["height"], 150))


FAULT: dict[str, Step] = {
    "another unit": changed("weight", lambda x: x * 2.2046),
    "shifted": changed("height", lambda x: x + 6),
    "gaps filled": changed("weight", lambda x: np.where(np.isnan(x), 0.0, x)),
    "renamed level": changed("plan", lambda x: np.where(x == "plus", "Plus", x)),
    "constant": changed("height", lambda x: np.full(x.shape, 170.0)),
    "cut off": changed("weight", lambda x: np.minimum(x, 70.0)),
}


@dataclass
class Pipeline:
    """The steps of the cleaning and what says how each is made."""

    source: Step = as_it_is
    steps: dict[str, Step] = field(
        default_factory=lambda: {"raw": as_it_is, "staged": as_it_is, "clean": filtered}
    )
    definitions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(LAYERS, "v1"))
    commit: str = "a" * 40

    def run(self, rng: np.random.Generator) -> Stored:
        table, profiles = self.source(given(rng)), {}
        for layer in LAYERS:
            table = self.steps[layer](table)
            profiles[layer] = profile_table(table, COLUMNS)
        definitions = {layer: [digest] for layer, digest in self.definitions.items()}
        return Stored(profiles, definitions=definitions, commits=[self.commit])

    def with_fault(self, layer: str, fault: Step) -> Pipeline:
        """The same with a fault in one step, whose definition is another one by that."""

        def step(table: pa.Table) -> pa.Table:
            return fault(self.steps[layer](table))

        return replace(
            self,
            steps=self.steps | {layer: step},
            definitions=self.definitions | {layer: "v2"},
            commit="b" * 40,
        )


def reference_of(pipeline: Pipeline, rng: np.random.Generator, batches: int = 4) -> Stored:
    made = [pipeline.run(rng) for _ in range(batches)]
    profiles = {layer: merge_profiles([each.profiles[layer] for each in made]) for layer in LAYERS}
    return replace(made[0], profiles=profiles)


def compared(reference: Stored, current: Stored) -> BatchDrift:
    before, now = (each.profiles["clean"] for each in (reference, current))
    return compare_profiles(before, now, UsualPolicy(), COLUMNS)


def judged(
    reference: Stored, current: Stored, *alike: Stored
) -> tuple[BatchDrift, dict[str, Origin]]:
    found = compared(reference, current)
    before = [compared(reference, each).past_batch for each in alike]
    origins = {
        column.name: origin_of(column.name, column.measure, reference, current, 30, before)
        for column in found.columns
        if column.verdict == "confirmed" and column.measure is not None
    }
    return found, origins


def test_of_200_planted_faults_the_culprit_is_named_and_the_world_is_not_blamed_on_us() -> None:
    """Half of the faults are the world's; of ours, other columns' definitions change as well."""
    named = blamed = worlds = 0
    for seed in range(FAULTS):
        rng = np.random.default_rng(seed)
        culprit = rng.choice(["world", *LAYERS], p=[0.4, 0.2, 0.2, 0.2])
        fault = FAULT[str(rng.choice(list(FAULT)))]
        reference = reference_of(Pipeline(), rng)
        pipeline = Pipeline()
        if culprit == "world":
            pipeline.source = fault
            if rng.random() < 0.5:  # and somebody worked on a model meanwhile, without effect
                pipeline = pipeline.with_fault(str(rng.choice(["staged", "clean"])), as_it_is)
        else:
            pipeline = pipeline.with_fault(str(culprit), fault)
        found, origins = judged(reference, pipeline.run(rng))
        assert found.verdict == "confirmed", (seed, culprit)
        who = {(origin.who, origin.layer) for origin in origins.values()}
        if culprit == "world":
            worlds += 1
            named += all(origin.who == "world" for origin in origins.values())
            blamed += any(origin.who == "pipeline" for origin in origins.values())
        else:
            named += who == {("pipeline", culprit)}
    assert worlds > 60
    assert named >= 0.95 * FAULTS
    assert blamed < 0.01 * worlds


def test_the_reason_names_the_model_and_the_commits() -> None:
    rng = np.random.default_rng(0)
    reference = reference_of(Pipeline(), rng)
    current = Pipeline().with_fault("staged", FAULT["another unit"]).run(rng)
    _, origins = judged(reference, current)
    assert origins["weight"].reason == (
        "Introduced by staged, the dbt model that stages it, which changed between commits "
        "aaaaaaaaaaaa and bbbbbbbbbbbb; raw did not change."
    )
    assert origins["weight"].as_dict()["who"] == "pipeline"


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("a" * 40, "a" * 40, ""),
        ("a" * 40, "a" * 40 + "-dirty", " after commit aaaaaaaaaaaa and is not committed"),
        ("a" * 40, "b" * 40, " between commits aaaaaaaaaaaa and bbbbbbbbbbbb"),
        (
            "a" * 40 + "-dirty",
            "b" * 40 + "-dirty",
            " between commits aaaaaaaaaaaa and bbbbbbbbbbbb, or is not committed",
        ),
        ("", "b" * 40, ""),
    ],
)
def test_a_change_that_is_not_committed_is_told_from_one_that_is(
    before: str, now: str, said: str
) -> None:
    rng = np.random.default_rng(0)
    reference = reference_of(Pipeline(), rng)
    current = Pipeline().with_fault("staged", FAULT["another unit"]).run(rng)
    reference = replace(reference, commits=[before] if before else [])
    _, origins = judged(reference, replace(current, commits=[now]))
    changed = f"the dbt model that stages it, which changed{said}; raw did not change."
    assert origins["weight"].reason == f"Introduced by staged, {changed}"


def test_what_is_said_names_the_columns_by_reason_and_what_to_do() -> None:
    ours, world = Origin("pipeline", "clean", "By us."), Origin("world", "raw", "By them.")
    names = ["a", "b", "c", "d", "e"]
    told = who_told(dict.fromkeys(names, ours), "pipeline", "leeway run it --batch 7")
    assert told == (
        "a, b, c and 2 more: By us. Nothing is trained until that step is mended and the batch "
        "taken in again: leeway run it --batch 7"
    )
    told = who_told({"a": ours, "b": world}, "world", "-")
    assert told.startswith("a: By us. b: By them. What follows is for the retraining policy")
    assert "not known to be ours" in who_told({"a": world}, "unknown", "-")
    assert who_told({}, None, "-") == ""


def test_where_nothing_was_defined_anew_the_world_changed() -> None:
    rng = np.random.default_rng(0)
    reference = reference_of(Pipeline(), rng)
    _, origins = judged(reference, Pipeline(source=FAULT["shifted"]).run(rng))
    assert origins == {
        "height": Origin(
            "world",
            "raw",
            "The world changed: nothing is defined otherwise than before; it is there from raw on.",
        )
    }


def test_what_was_not_recorded_is_unknown() -> None:
    rng = np.random.default_rng(0)
    reference = replace(reference_of(Pipeline(), rng), definitions={})
    _, origins = judged(reference, Pipeline(source=FAULT["shifted"]).run(rng))
    assert origins["height"].who == "unknown"


def test_a_column_of_another_name_upstream_leaves_it_open_who_moved() -> None:
    rng = np.random.default_rng(0)
    pipeline = Pipeline().with_fault("raw", FAULT["shifted"])
    reference, current = reference_of(Pipeline(), rng), pipeline.run(rng)
    hidden = [
        replace(each, profiles={"clean": each.profiles["clean"]}) for each in (reference, current)
    ]
    _, origins = judged(hidden[0], hidden[1])
    assert origins["height"].who == "unknown"


@pytest.mark.parametrize("layer", LAYERS)
def test_what_changed_before_the_shift_did_not_make_it(layer: str) -> None:
    """As for a column that is computed at that layer, whose inputs have other names."""
    rng = np.random.default_rng(0)
    edited = Pipeline().with_fault(layer, as_it_is)
    reference, harmless = reference_of(Pipeline(), rng), edited.run(rng)
    shifted = replace(edited, source=FAULT["shifted"]).run(rng)
    computed = [without_before(layer, each) for each in (reference, shifted, harmless)]
    _, origins = judged(*computed)
    assert {name: origin.who for name, origin in origins.items()} == {"height": "world"}
    assert (
        "a batch before it was made by the same definitions without it" in origins["height"].reason
    )
    _, origins = judged(*computed[:2])
    assert origins["height"].who == "pipeline", "nothing tells when it came"


@pytest.mark.parametrize("layer", LAYERS)
def test_a_change_that_the_batch_before_has_as_well_stays_ours(layer: str) -> None:
    rng = np.random.default_rng(0)
    faulty = Pipeline().with_fault(layer, FAULT["shifted"])
    runs = reference_of(Pipeline(), rng), faulty.run(rng), faulty.run(rng)
    _, origins = judged(*(without_before(layer, each) for each in runs))
    assert (origins["height"].who, origins["height"].layer) == ("pipeline", layer)


def without_before(layer: str, stored: Stored) -> Stored:
    known = LAYERS[LAYERS.index(layer) :]
    return replace(stored, profiles={name: stored.profiles[name] for name in known})


def test_the_pipeline_moved_a_batch_where_it_moved_any_column() -> None:
    """Guards: a fault in one column and a real shift in another were trained for."""
    ours, world = Origin("pipeline", "clean", "."), Origin("world", "raw", ".")
    unknown = Origin("unknown", None, ".")
    assert who_of([]) is None
    assert who_of([ours, ours]) == "pipeline"
    assert who_of([world, ours]) == who_of([unknown, ours]) == "pipeline"
    assert who_of([unknown, world]) == "world"
    assert who_of([unknown]) == "unknown"


def test_a_batch_more_in_the_source_is_no_other_definition_and_a_macro_is(tmp_path: Path) -> None:
    """Guards: whoever lists batches by hand had each new one blamed on the source's entry."""
    use_case = load_use_cases()["penguins"]
    content = use_case.model_dump(mode="json")
    content["source"]["batch_by"]["batches"]["2010"] = [2010]
    before = definitions_of("penguins", use_case, tmp_path)
    assert definitions_of("penguins", type(use_case).model_validate(content), tmp_path) == before
    content["source"]["batch_by"]["column"] = "island"
    after = definitions_of("penguins", type(use_case).model_validate(content), tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"raw"}
    macros = tmp_path / "dbt_project" / "macros"
    macros.mkdir(parents=True)
    (macros / "cleaning.sql").write_text("{% macro kg() %} 1000 {% endmacro %}")
    after = definitions_of("penguins", use_case, tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"staged", "clean"}


def test_the_digest_of_an_archive_names_the_data_and_not_how_it_is_read(tmp_path: Path) -> None:
    use_case = load_use_cases()["housing"]
    assert use_case.source.kind == "archive"

    def with_source(**changed: str) -> dict[str, str]:
        source = use_case.source.model_copy(update=changed)
        other = use_case.model_copy(update={"source": source})
        return definitions_of("housing", other, tmp_path)

    before = definitions_of("housing", use_case, tmp_path)
    assert with_source(digest=f"sha256:{'0' * 64}") == before
    assert with_source(member="other.csv") != before


def test_a_definition_is_the_sql_of_its_layer_or_the_entry_of_a_column(tmp_path: Path) -> None:
    use_case = load_use_cases()["penguins"]
    for layer in ("staging", "marts"):
        folder = tmp_path / "dbt_project" / "models" / "penguins" / layer
        folder.mkdir(parents=True)
        (folder / "model.sql").write_text("select 1")
    before = definitions_of("penguins", use_case, tmp_path)
    (tmp_path / "dbt_project/models/penguins/marts/model.sql").write_text("select 2")
    after = definitions_of("penguins", use_case, tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"clean"}

    columns = [
        column.model_copy(update={"unit": "cm"}) if column.name == "bill_length_mm" else column
        for column in use_case.columns
    ]
    other = use_case.model_copy(update={"columns": tuple(columns)})
    again = definitions_of("penguins", other, tmp_path)
    differing = {name for name in after if after[name] != again[name]}
    assert differing == {of_column("raw", "bill_length_mm")}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_fault_that_is_mended_is_no_reason_to_blame_anyone(layer: str) -> None:
    rng = np.random.default_rng(0)
    found, origins = judged(
        reference_of(Pipeline(), rng), Pipeline().with_fault(layer, as_it_is).run(rng)
    )
    assert (found.verdict, origins) == ("none", {})
